package admin

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/netip"
)

//go:embed page
var pageFiles embed.FS

// page is the feed page: one document that knows its port and topics, and its script and style beside it. Nothing comes from
// elsewhere, and its policy sees to that.
type page struct {
	document   []byte
	publicPort int
	files      fs.FS
}

// pageConfig is what the script finds in the document.
type pageConfig struct {
	Port   int      `json:"port"`
	Topics []string `json:"topics"`
}

func newPage(publicPort int, topics []string) (*page, error) {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, fmt.Errorf("admin: page: %w", err)
	}
	t, err := template.ParseFS(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("admin: page: %w", err)
	}
	if topics == nil {
		topics = []string{} // the script reads a list, not null
	}
	var document bytes.Buffer
	if err := t.Execute(&document, pageConfig{publicPort, topics}); err != nil {
		return nil, fmt.Errorf("admin: page: %w", err)
	}
	return &page{document.Bytes(), publicPort, files}, nil
}

// ServeHTTP serves the document.
func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy(r.Host))
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	_, _ = w.Write(p.document)
}

// policy lets the page run its own script and style and connect to this listener and to this host's WebSocket port, nothing else (CSP
// Level 3). The guard has checked host.
func (p *page) policy(host string) string {
	name := bareHost(host)
	source := fmt.Sprintf("ws://%s:%d", name, p.publicPort)
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		source = fmt.Sprintf("ws://*:%d", p.publicPort) // CSP's grammar has no IPv6 literals
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' " + source +
		"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// assets serves the script and the style, by exact name.
func (p *page) assets() http.Handler {
	types := map[string]string{
		"/assets/page.css":    "text/css; charset=utf-8",
		"/assets/page.js":     "text/javascript; charset=utf-8",
		"/assets/feed.js":     "text/javascript; charset=utf-8",
		"/assets/spark.js":    "text/javascript; charset=utf-8",
		"/assets/overview.js": "text/javascript; charset=utf-8",
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind, ok := types[r.URL.Path]
		if !ok {
			notFound(w, r)
			return
		}
		body, err := fs.ReadFile(p.files, r.URL.Path[len("/assets/"):])
		if err != nil {
			notFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(body)
	})
}
