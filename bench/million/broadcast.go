package million

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// broadcast publishes one message and waits until the server has handed over as many deliveries as there are connections.
func (p *proof) broadcast(ctx context.Context, n int) error {
	counted, err := metrics(ctx, p.admin)
	if err != nil {
		return err
	}
	at := time.Now()
	if err := p.publish(ctx, at); err != nil {
		return err
	}
	b := Broadcast{}
	for deadline := at.Add(p.plan.Give / time.Duration(p.plan.Broadcasts)); b.Delivered < float64(p.report.Up); {
		if time.Now().After(deadline) {
			p.fault("broadcast %d reached %.0f of %d in %v", n+1, b.Delivered, p.report.Up, time.Since(at))
			break
		}
		// A look costs the server something as well, and more than one in twenty parts of the time is not needed.
		if err := p.wait(ctx, max(100*time.Millisecond, time.Since(at)/20)); err != nil {
			return err
		}
		s := p.look(ctx)
		b = Broadcast{Seconds: time.Since(at).Seconds(), Delivered: s.Deliveries - counted["megawire_messages_out_total"]}
	}
	p.say("broadcast %d: %.0f deliveries in %.2f s", n+1, b.Delivered, b.Seconds)
	p.report.Broadcasts = append(p.report.Broadcasts, b)
	return nil
}

// publish sends what the load generator expects of a message: {"t":<Unix ns>,"p":"<filler>"}.
func (p *proof) publish(ctx context.Context, at time.Time) error {
	head := fmt.Sprintf(`{"t":%d,"p":"`, at.UnixNano())
	data := head + strings.Repeat("x", max(p.plan.Payload-len(head)-2, 0)) + `"}`
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.admin+"/v1/publish",
		strings.NewReader(`{"topic":"`+topic+`","data":`+data+`}`))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}
