package admin

import (
	"net/http"

	"github.com/megawire/megawire/codec/codes"
)

// clients is GET /v1/clients.
func (s *Server) clients(w http.ResponseWriter, r *http.Request) {
	q, err := clientQuery(r)
	var page ClientPage
	if err == nil {
		ctx, cancel := s.untilStopping(r.Context())
		defer cancel()
		err = s.look(r, func() (err error) {
			page, err = s.o.Backend.Clients(ctx, &q)
			return err
		})
	}
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	if page.Clients == nil {
		page.Clients = []Client{} // a list, not null
	}
	answer(w, http.StatusOK, page)
}

func clientQuery(r *http.Request) (cq ClientQuery, err error) {
	q, err := parseQuery(r, "after", "filter", "lagging", "limit", "sort")
	if err != nil {
		return cq, err
	}
	cq.After = q.values["after"]
	if cq.Limit, err = q.limit(); err != nil {
		return cq, err
	}
	if cq.Filter, err = q.filter(); err != nil {
		return cq, err
	}
	if cq.Lagging, err = q.flag("lagging", false); err != nil {
		return cq, err
	}
	switch order, ok := q.values["sort"]; {
	case ok && order != "backlog":
		return cq, Fault{codes.BadRequest, "sort is backlog, or left out; not " + quote(order)}
	case ok && cq.After != "":
		return cq, Fault{codes.BadRequest, "sort=backlog has one page, of the clients furthest behind: there is nothing after it"}
	case ok:
		cq.ByBacklog = true
	}
	return cq, nil
}

// client is GET /v1/clients/{id}.
func (s *Server) client(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.untilStopping(r.Context())
	defer cancel()
	_, err := parseQuery(r)
	var c ClientDetail
	if err == nil {
		c, err = s.o.Backend.Client(ctx, r.PathValue("id"))
	}
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	if c.Filters == nil {
		c.Filters = []Subscription{}
	}
	answer(w, http.StatusOK, c)
}

// kicked is the answer to DELETE /v1/clients/{id}.
type kicked struct {
	Client string `json:"client"`
}

// kick is DELETE /v1/clients/{id}. A browser asks before it sends that method across origins, and is not answered.
func (s *Server) kick(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := s.untilStopping(r.Context())
	defer cancel()
	id := r.PathValue("id")
	_, err := parseQuery(r)
	if err == nil && r.ContentLength != 0 {
		err = Fault{codes.BadRequest, "DELETE takes no body here"}
	}
	if err == nil {
		err = s.o.Backend.Kick(ctx, id)
	}
	if err != nil {
		answerFault(w, s.faultOf(err))
		return
	}
	answer(w, http.StatusOK, kicked{id})
}

// clientOrKick is what stands behind /v1/clients/{id}.
func (s *Server) clientOrKick(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		s.kick(w, r)
		return
	}
	s.client(w, r)
}
