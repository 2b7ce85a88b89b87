package bench

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"strconv"
)

// Sizes and colours of plots. Text colours are of middle brightness, so that they can be read on white and on black.
const (
	plotWidth  = 760
	labelWidth = 210
	valueWidth = 130
	barHeight  = 20
	barGap     = 8
	headHeight = 48

	colourOurs  = "#0b7285"
	colourFloor = "#868e96"
	colourOther = "#a5c8d0"
	colourText  = "#6b7280"
)

func plotName(w *Workload) string { return "bench-" + w.Name + ".svg" }

// plots draws all that was measured, by file name.
func (r *Results) plots() map[string][]byte {
	all := map[string][]byte{}
	for _, w := range Workloads() {
		if w.Set == Compare && len(r.rows(&w)) > 0 {
			all[plotName(&w)] = r.bars(&w)
		}
	}
	for _, s := range grows {
		if points := r.points(s.name); len(points) > 0 {
			all["bench-growth-"+s.name+".svg"] = r.lines(&s, points)
		}
	}
	return all
}

// svg is a drawing.
type svg struct{ bytes.Buffer }

func newSVG(width, height int, title string) *svg {
	s := &svg{}
	fmt.Fprintf(s, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, sans-serif" font-size="13" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(s, "<title>%s</title>\n", html.EscapeString(title))
	return s
}

func (s *svg) text(x, y float64, anchor, weight, colour, text string) {
	fmt.Fprintf(s, `<text x="%s" y="%s" text-anchor="%s" font-weight="%s" fill="%s">%s</text>`+"\n",
		f1(x), f1(y), anchor, weight, colour, html.EscapeString(text))
}

func (s *svg) line(x1, y1, x2, y2 float64, colour string, width float64) {
	fmt.Fprintf(s, `<line x1="%s" y1="%s" x2="%s" y2="%s" stroke="%s" stroke-width="%s"/>`+"\n", f1(x1), f1(y1), f1(x2), f1(y2), colour, f1(width))
}

func (s *svg) bar(x, y, width, height float64, colour string) {
	fmt.Fprintf(s, `<rect x="%s" y="%s" width="%s" height="%s" rx="2" fill="%s"/>`+"\n", f1(x), f1(y), f1(width), f1(height), colour)
}

func (s *svg) end() []byte {
	s.WriteString("</svg>\n")
	return s.Bytes()
}

func f1(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }

// bars draws a workload's first metric: a bar a server, and a thin line from the least to the most.
func (r *Results) bars(w *Workload) []byte {
	m := &w.Metrics[0]
	rows := r.rows(w)
	most := 0.0
	for _, row := range rows {
		most = max(most, r.summary(subject{row.server.Name, w.Name}, m).High)
	}
	better := "less is better"
	if m.More {
		better = "more is better"
	}
	s := newSVG(plotWidth, headHeight+len(rows)*(barHeight+barGap)+barGap, w.Title)
	s.text(0, 18, "start", "600", colourText, w.Title)
	s.text(0, 36, "start", "400", colourText, m.Title+", median and range; "+better)
	scale := float64(plotWidth-labelWidth-valueWidth) / max(most, 1e-9)
	for i, row := range rows {
		y := float64(headHeight + i*(barHeight+barGap))
		v := r.summary(subject{row.server.Name, w.Name}, m)
		weight, colour := "400", colourOther
		switch row.server.Name {
		case us, us + "-2":
			weight, colour = "600", colourOurs
		case Floor:
			colour = colourFloor
		}
		s.text(labelWidth-10, y+15, "end", weight, colourText, row.server.Title)
		if v.N == 0 {
			s.text(labelWidth, y+15, "start", "400", colourText, "no result")
			continue
		}
		s.bar(labelWidth, y, max(v.Median*scale, 1), barHeight, colour)
		if v.N > 1 {
			s.line(labelWidth+v.Low*scale, y+barHeight/2, labelWidth+v.High*scale, y+barHeight/2, colourText, 1.5)
		}
		s.text(labelWidth+v.High*scale+8, y+15, "start", weight, colourText, m.format(v.Median))
	}
	return s.end()
}

// lines draws each metric of a series as a small panel of its own, x growing by factors.
func (r *Results) lines(of *series, points []Workload) []byte {
	const across, panelHeight, margin = 3, 190, 24
	metrics := points[0].Metrics
	down := (len(metrics) + across - 1) / across
	width := float64(plotWidth) / across
	s := newSVG(plotWidth, headHeight+down*panelHeight, "By "+of.title)
	s.text(0, 18, "start", "600", colourText, "Megawire by "+of.title)
	for i := range metrics {
		p := panel{
			svg: s, x: float64(i%across) * width, y: float64(headHeight + i/across*panelHeight),
			width: width - margin, height: panelHeight - 2*margin - 16,
		}
		r.panel(&p, &metrics[i], points)
	}
	return s.end()
}

// tick writes a place on the x axis, shortly.
func tick(x float64) string {
	if x >= 10_000 && x == math.Trunc(x/1000)*1000 {
		return (&Metric{}).format(x/1000) + "k"
	}
	return (&Metric{}).format(x)
}

// panelInset keeps the labels of the first and the last point inside.
const panelInset = 24

// panel is where one curve is drawn.
type panel struct {
	*svg
	x, y, width, height float64
}

func (r *Results) panel(p *panel, m *Metric, points []Workload) {
	p.text(p.x, p.y, "start", "400", colourText, m.Title)
	most, low, high := 0.0, math.Log(points[0].X), math.Log(points[len(points)-1].X)
	for i := range points {
		most = max(most, r.summary(subject{us, points[i].Name}, m).High)
	}
	top, bottom := p.y+16, p.y+16+p.height
	p.line(p.x, bottom, p.x+p.width, bottom, colourFloor, 1)
	var path string
	for i := range points {
		v := r.summary(subject{us, points[i].Name}, m)
		if v.N == 0 {
			continue
		}
		x := p.x + panelInset + (p.width-2*panelInset)*(math.Log(points[i].X)-low)/max(high-low, 1e-9)
		y := bottom - (bottom-top-14)*v.Median/max(most, 1e-9)
		path += f1(x) + "," + f1(y) + " "
		fmt.Fprintf(p, `<circle cx="%s" cy="%s" r="3.5" fill="%s"/>`+"\n", f1(x), f1(y), colourOurs)
		p.text(x, y-7, "middle", "400", colourText, m.format(v.Median))
		p.text(x, bottom+16, "middle", "400", colourText, tick(points[i].X))
	}
	fmt.Fprintf(p, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", path, colourOurs)
}
