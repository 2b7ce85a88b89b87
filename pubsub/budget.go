package pubsub

// budget bounds what subscribing to patterns may cost a loop: looks at topics, some 100 ns each where names have few levels.
// A subscription with a snapshot, or with an interval, looks at all topics that its filter may match, and one request can ask
// for a thousand. What one call costs is only known afterwards, so a loop may run into debt by one call; then it says ErrBusy
// until the debt is paid, but to those that cost little. To end what a pattern has begun is work as well, which cannot be
// refused: it is spent of the same. It belongs to its shard's loop.
type budget struct {
	looks int64 // left; below zero it is a debt
	at    int64 // up to when what was earned is counted, on the hub's Clock
	spent int   // since the start
}

const (
	looksAJoin     = 8 // what it costs more to begin with a topic's messages, and to end
	looksPerSecond = 1_000_000
	looksBurstMax  = 500_000
	looksDebtMax   = 2_000_000 // so that two seconds after whoever spent it others are let in
	nanosPerLook   = 1_000_000_000 / looksPerSecond

	// littleLooks is what a subscription may cost that is let through whatever was spent, and that spends nothing: what four
	// messages count for.
	littleLooks = 256
	// refusedLooks is what a client is charged for one that is refused: what it takes to see that it is not little, where
	// names have many levels.
	refusedLooks = 1024
)

func newBudget(now int64) budget { return budget{looks: looksBurstMax, at: now} }

// affords says that there is something left to spend.
func (b *budget) affords(now int64) bool {
	earned := (now - b.at) / nanosPerLook
	b.looks = min(b.looks+earned, looksBurstMax)
	b.at += earned * nanosPerLook
	return b.looks > 0
}

func (b *budget) spend(looks int) {
	b.looks = max(b.looks-int64(looks), -looksDebtMax)
	b.charge(looks)
}

// charge is for work that is its client's alone: as many as do it at once, none is refused for the others.
func (b *budget) charge(looks int) { b.spent += looks }

// forgive makes what was spent since such a charge, if it was little.
func (b *budget) forgive(since budget) {
	if b.spent-since.spent <= littleLooks {
		b.looks = since.looks
	}
}

// Looks is how many looks at topics subscribing and unsubscribing have cost so far, of those that one request can ask for
// many of.
func (s *Shard) Looks() int { return s.budget.spent }
