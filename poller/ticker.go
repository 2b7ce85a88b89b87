package poller

import "time"

// tick is the poller's one timer. It moves the coarse clock and tells loops that their scan is due.
func (p *Poller) tick() {
	defer close(p.tickEnded)
	ticker := time.NewTicker(time.Second / scansASecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.tickStop:
			return
		case <-ticker.C:
			p.tellTime()
			for _, l := range p.loops {
				l.ask(dueScan)
			}
		}
	}
}

// tellTime sets the coarse clock. To ask the system for the time takes as long as all else that is done for
// a small message beside the system calls.
func (p *Poller) tellTime() { p.second.Store(uint32(time.Since(p.born)/time.Second) + 1) }
