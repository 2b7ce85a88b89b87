package loadgen

import (
	"encoding/json"
	"time"
)

// planTimes are a plan's durations in JSON, in seconds.
type planTimes struct {
	Warmup         float64 `json:"warmup_s"`
	Duration       float64 `json:"duration_s"`
	ReplyTimeout   float64 `json:"reply_timeout_s"`
	ConnectTimeout float64 `json:"connect_timeout_s"`
	DrainTimeout   float64 `json:"drain_timeout_s"`
	CloseTimeout   float64 `json:"close_timeout_s"`
}

type plainPlan Plan // without methods, so that JSON does not come back here

type timedPlan struct {
	*plainPlan
	planTimes
}

// MarshalJSON writes the plan with its durations in seconds.
func (p Plan) MarshalJSON() ([]byte, error) {
	return json.Marshal(timedPlan{(*plainPlan)(&p), planTimes{
		p.Warmup.Seconds(), p.Duration.Seconds(), p.ReplyTimeout.Seconds(),
		p.ConnectTimeout.Seconds(), p.DrainTimeout.Seconds(), p.CloseTimeout.Seconds(),
	}})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Plan) UnmarshalJSON(src []byte) error {
	t := timedPlan{plainPlan: (*plainPlan)(p)}
	if err := json.Unmarshal(src, &t); err != nil {
		return err
	}
	for _, d := range []struct {
		to *time.Duration
		s  float64
	}{
		{&p.Warmup, t.planTimes.Warmup}, {&p.Duration, t.planTimes.Duration}, {&p.ReplyTimeout, t.planTimes.ReplyTimeout},
		{&p.ConnectTimeout, t.planTimes.ConnectTimeout}, {&p.DrainTimeout, t.planTimes.DrainTimeout}, {&p.CloseTimeout, t.planTimes.CloseTimeout},
	} {
		*d.to = time.Duration(d.s * float64(time.Second))
	}
	return nil
}
