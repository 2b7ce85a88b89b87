package poller

import "time"

// tick is the poller's one timer. It only tells loops that their scan is due.
func (p *Poller) tick() {
	defer close(p.tickEnded)
	ticker := time.NewTicker(time.Second / scansASecond)
	defer ticker.Stop()
	for {
		select {
		case <-p.tickStop:
			return
		case <-ticker.C:
			for _, l := range p.loops {
				l.ask(dueScan)
			}
		}
	}
}
