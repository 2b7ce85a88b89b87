package admin

import (
	"context"
	"sync"
)

// fakeViews is the part of a fakeBackend that is looked at. It keeps what it was asked.
type fakeViews struct {
	topics  []Topic // all of them, whatever the filter
	more    bool
	page    ClientPage
	detail  ClientDetail
	lag     Lag
	refuse  error         // what every view returns instead
	looking chan struct{} // nil, or told of each list that is being made
	seen    chan struct{} // nil, or one value for each list that may be done

	asking       sync.Mutex
	topicsAsked  []TopicQuery
	clientsAsked []ClientQuery
	topicAsked   []string
	idsAsked     []string
	kicked       []string
}

func (v *fakeViews) wait() {
	if v.looking != nil {
		v.looking <- struct{}{}
		<-v.seen
	}
}

func (v *fakeViews) Topics(q *TopicQuery) ([]Topic, bool, error) {
	v.wait()
	v.asking.Lock()
	defer v.asking.Unlock()
	v.topicsAsked = append(v.topicsAsked, *q)
	return v.topics[:min(len(v.topics), q.Limit)], v.more, v.refuse
}

func (v *fakeViews) Topic(name string) (Topic, error) {
	v.topicAsked = append(v.topicAsked, name)
	for _, t := range v.topics {
		if t.Name == name {
			return t, v.refuse
		}
	}
	return Topic{}, Fault{"not_found", "there is no topic " + quote(name)}
}

func (v *fakeViews) Clients(_ context.Context, q *ClientQuery) (ClientPage, error) {
	v.wait()
	v.clientsAsked = append(v.clientsAsked, *q)
	return v.page, v.refuse
}

func (v *fakeViews) Client(_ context.Context, id string) (ClientDetail, error) {
	v.idsAsked = append(v.idsAsked, id)
	return v.detail, v.refuse
}

func (v *fakeViews) Kick(_ context.Context, id string) error {
	v.kicked = append(v.kicked, id)
	return v.refuse
}

func (v *fakeViews) Lag() Lag { return v.lag }
