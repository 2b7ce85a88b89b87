package loadgen

import "math"

// class is how a connection behaves. What it gets is counted by class, so that the latency of those who read is not mixed
// with that of those who do not.
type class uint8

const (
	healthy class = iota // reads whatever comes
	slow                 // reads a tenth of what should come
	stalled              // does not read while load is on
	classes = iota
)

var classNames = [classes]string{"healthy", "slow", "stalled"}

func (c class) String() string { return classNames[c] }

// classNamed is the class of a name in a raw stream.
func classNamed(name string) (class, bool) {
	for i, n := range classNames {
		if n == name {
			return class(i), true
		}
	}
	return 0, false
}

// classOf spreads the classes evenly over the connections' numbers: multiples of the golden ratio leave no stretch without
// its share.
func (p *Plan) classOf(number int) class {
	if p.Workload != Slow || number >= p.Connections {
		return healthy
	}
	_, at := math.Modf(float64(number) * (math.Phi - 1))
	switch {
	case at < p.Stalled:
		return stalled
	case at < p.Stalled+p.SlowShare:
		return slow
	}
	return healthy
}

// inClasses counts the connections of each class.
func (p *Plan) inClasses() (n [classes]int) {
	if p.Workload != Slow {
		n[healthy] = p.Connections
		return n
	}
	for i := range p.Connections {
		n[p.classOf(i)]++
	}
	return n
}
