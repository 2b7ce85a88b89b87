package admin

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/megawire/megawire/codec/codes"
)

// guard is in front of every handler: it refuses what a web page could send through somebody's browser, and sets what every answer
// carries.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		setDeadline(w, time.Now().Add(answerTimeout))
		if !s.hostAllowed(r.Host) {
			// A name that somebody else's DNS can point here (DNS rebinding) would make their page same-origin with us.
			answer(w, http.StatusMisdirectedRequest, errorAnswer{Fault{codes.Forbidden,
				"host " + quote(r.Host) + " is not served here: use an IP address or localhost, or list the name in admin.hosts"}})
			return
		}
		if !sameOrigin(r) {
			answerFault(w, Fault{codes.Forbidden, "origin " + quote(r.Header.Get("Origin")) + " may not call this listener"})
			return
		}
		if fetchedElsewhere(r) && (r.Header.Get("Sec-Fetch-Mode") != "navigate" || r.URL.Path != "/") {
			// An image or a script tag sends no Origin, yet could keep a profiler running. Following a link to the page is fine.
			answerFault(w, Fault{codes.Forbidden, "a page of another origin may not call this listener"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// setDeadline bounds how long the answer may take. Every request sets it anew, as it outlives a request on its connection; a writer
// without deadlines (a recorder in a test) does without.
func setDeadline(w http.ResponseWriter, t time.Time) {
	_ = http.NewResponseController(w).SetWriteDeadline(t)
}

// allowedHosts are the names that may stand in Host, beside IP literals, which nobody can rebind.
func allowedHosts(listen string, more []string) map[string]bool {
	hosts := map[string]bool{"localhost": true}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		hosts[bareHost(host)] = true
	}
	for _, h := range more {
		hosts[bareHost(h)] = true
	}
	return hosts
}

func (s *Server) hostAllowed(host string) bool {
	name := bareHost(host)
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return s.hosts[name]
}

// bareHost is a Host header's name in lower case, without port, brackets and root dot.
func bareHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// fetchedElsewhere tells of a request that a browser makes for a page of another origin, be it of the same site (Fetch Metadata
// §2.4): on localhost every port is of one site. Tools send no such header, and a user's own typing says none.
func fetchedElsewhere(r *http.Request) bool {
	return slices.ContainsFunc(r.Header.Values("Sec-Fetch-Site"), func(site string) bool {
		return site != "same-origin" && site != "none"
	})
}

// sameOrigin is false for what a page of another origin sends (RFC 6454 §7). Tools send no Origin at all.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	u, err := url.Parse(origins[0])
	return err == nil && len(origins) == 1 && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}
