package bench

import (
	"fmt"
	"strconv"
	"time"
)

// series is one thing that grows while the rest stays as it is.
type series struct {
	name, title, about string
	args               func(x int) []string
	points             []int
	metrics            []Metric // nil: growthMetrics
}

var growthMetrics = []Metric{cpu, p99, openBytes, rss, {Name: "open", Title: "seconds to connect, subscribe", Path: "connections.open_s", Digits: 2}}

// grows are run at one rate of deliveries, so that whatever rises with x is a cost of x. Where connections or topics grow, a
// topic keeps its number of subscribers: otherwise the number of messages would change as well.
var grows = []series{
	{
		"connections", "connections", "Each subscribed to 1 topic that it shares with 99 others; 100,000 deliveries/s in all.",
		func(x int) []string { return ticker(x, x/100, 1) }, []int{1000, 3000, 6000, 15000}, nil,
	},
	{
		"topics", "topics", "Each with 50 subscribers among 5,000 clients; 100,000 deliveries/s in all.",
		func(x int) []string { return ticker(5000, x, x/100) }, []int{100, 1000, 10000, 50000}, nil,
	},
	{
		"subscriptions", "subscriptions a client", "1,000 clients with so many of 1,000 topics each; 100,000 deliveries/s in all.",
		func(x int) []string { return ticker(1000, 1000, x) }, []int{10, 100, 300, 1000}, nil,
	},
	{
		"payload", "bytes of a message", "5,000 clients with 20 of 1,000 topics each; 100,000 deliveries/s in all.",
		func(x int) []string { return append(ticker(5000, 1000, 20), "--payload", strconv.Itoa(x)) }, []int{32, 128, 512, 2048}, nil,
	},
	{
		"behind", "seconds that readers are behind", "500 clients with one of 10 topics each, 200 messages a second to every one; 20 % of them do not keep up. 100,000 deliveries/s in all.",
		func(x int) []string { return behindArgs(time.Duration(x) * time.Second) }, []int{10, 20, 40, 80},
		[]Metric{moreRSS, kernel, p99, told, lost, behind},
	},
}

func ticker(connections, topics, subscriptions int) []string {
	return []string{
		"ticker", "-n", strconv.Itoa(connections), "--topics", strconv.Itoa(topics),
		"--subscriptions", strconv.Itoa(subscriptions), "--delivery-rate", "100000", "--warmup", "1s", "-d", "5s",
	}
}

// grown makes a workload of every point.
func grown() []Workload {
	var all []Workload
	for _, s := range grows {
		metrics := s.metrics
		if metrics == nil {
			metrics = growthMetrics
		}
		for _, x := range s.points {
			all = append(all, Workload{
				Name: fmt.Sprintf("growth-%s-%d", s.name, x), Title: s.title, About: s.about, Set: Growth, Needs: needTopics,
				Args: s.args(x), Limit: 4 * time.Minute, Metrics: metrics, Series: s.name, X: float64(x),
			})
		}
	}
	return all
}
