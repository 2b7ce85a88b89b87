package poller

import "time"

// tick is the poller's one timer. It only tells loops that something is due.
func (p *Poller) tick() {
	defer close(p.tickEnded)
	for _, l := range p.loops {
		select {
		case <-l.ready: // before that it cannot be woken
		case <-p.tickStop:
			return
		}
	}
	timer := time.NewTimer(tickEvery)
	defer timer.Stop()
	scan := time.Now().Add(tickEvery)
	for {
		select {
		case <-p.tickStop:
			return
		case <-p.stalledKick:
		case <-timer.C:
		}
		pause := time.Until(scan)
		if pause <= 0 {
			scan, pause = time.Now().Add(tickEvery), tickEvery
			for _, l := range p.loops {
				l.ticks.Or(tickScan)
				l.Wake()
			}
		}
		if p.tickStalled() {
			pause = min(pause, stalledEvery)
		}
		timer.Reset(pause)
	}
}

func (p *Poller) tickStalled() bool {
	p.stalledMu.Lock()
	defer p.stalledMu.Unlock()
	for l := range p.stalledSet {
		l.ticks.Or(tickStalled)
		l.Wake()
	}
	return len(p.stalledSet) > 0
}

// stalledLoops notes that a loop has n stalled connections now.
func (p *Poller) stalledLoops(l *Loop, n int) {
	if n > 1 {
		return
	}
	p.stalledMu.Lock()
	defer p.stalledMu.Unlock()
	if _, in := p.stalledSet[l]; in == (n > 0) {
		return
	}
	if n == 0 {
		delete(p.stalledSet, l)
		return
	}
	p.stalledSet[l] = struct{}{}
	select {
	case p.stalledKick <- struct{}{}:
	default:
	}
}
