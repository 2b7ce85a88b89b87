package loadgen

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// plot is a line chart that is written as SVG. Colours are classes, so that the page's style sheet decides them.
type plot struct {
	Title    string
	x, y     axis
	lines    []plotLine
	spans    []plotSpan
	markEnds bool // a point on each value: few of them, each of its own run
}

// axis maps values to a length. Logarithmic axes leave out what is not above 0.
type axis struct {
	label     string
	low, high float64
	log       bool
	ticks     []tick // empty: chosen by the range
}

type tick struct {
	at   float64
	text string
}

type plotLine struct {
	name, class string
	x, y        []float64
}

// plotSpan is a stretch of the x axis with a name.
type plotSpan struct {
	from, to float64
	name     string
}

// Measures of a plot, in SVG units.
const (
	plotWidth, plotHeight                       = 640, 280
	plotLeft, plotRight, plotTop, plotBottom    = 64, 28, 34, 40
	plotInnerWidth                              = plotWidth - plotLeft - plotRight
	plotInnerHeight                             = plotHeight - plotTop - plotBottom
	plotDecadesMin                              = 1.0
	plotHeadroom                                = 1.05
	plotTicksMax                                = 6
	plotLegendStep, plotLegendDash, plotPointPx = 9, 14, 3
)

// SVG draws the plot.
func (p *plot) SVG() template.HTML {
	p.fit()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, plotWidth, plotHeight, template.HTMLEscapeString(p.Title))
	for _, s := range p.spans {
		p.drawSpan(&b, s)
	}
	p.drawAxes(&b)
	for i := range p.lines {
		p.drawLine(&b, &p.lines[i])
	}
	p.drawLegend(&b)
	b.WriteString("</svg>")
	return template.HTML(b.String()) // all texts in it are escaped where they are written
}

// fit sets the ranges that were left open, and the ticks.
func (p *plot) fit() {
	for i := range p.lines {
		for j := range p.lines[i].x {
			p.x.include(p.lines[i].x[j])
			p.y.include(p.lines[i].y[j])
		}
	}
	p.x.finish(false)
	p.y.finish(true)
}

func (a *axis) include(v float64) {
	if a.log && v <= 0 {
		return
	}
	if a.low == 0 && a.high == 0 {
		a.low, a.high = v, v
		if !a.log {
			a.low = min(0, v)
		}
		return
	}
	a.low, a.high = min(a.low, v), max(a.high, v)
}

func (a *axis) finish(headroom bool) {
	switch {
	case a.log:
		a.low = math.Pow(10, math.Floor(math.Log10(max(a.low, 1e-9))))
		a.high = math.Pow(10, math.Ceil(math.Log10(max(a.high, a.low*math.Pow(10, plotDecadesMin)))))
	case a.high <= a.low:
		a.high = a.low + 1
	case headroom:
		a.high *= plotHeadroom
	}
	if a.ticks == nil {
		a.choose()
	}
}

// choose sets ticks at powers of ten, or at round distances.
func (a *axis) choose() {
	if a.log {
		between := []float64{1}
		if a.high/a.low <= 100 {
			between = []float64{1, 2, 5}
		}
		for v := a.low; v <= a.high*1.001; v *= 10 {
			for _, times := range between {
				if v*times <= a.high*1.001 {
					a.ticks = append(a.ticks, tick{v * times, compact(v * times)})
				}
			}
		}
		return
	}
	step := math.Pow(10, math.Floor(math.Log10((a.high-a.low)/plotTicksMax)))
	for _, times := range []float64{2, 2.5, 2} {
		if (a.high-a.low)/step > plotTicksMax {
			step *= times
		}
	}
	for v := math.Ceil(a.low/step) * step; v <= a.high; v += step {
		a.ticks = append(a.ticks, tick{v, compact(v)})
	}
}

// at is where a value lies, between 0 and 1.
func (a *axis) at(v float64) float64 {
	if a.log {
		return math.Log10(max(v, a.low)/a.low) / math.Log10(a.high/a.low)
	}
	return (v - a.low) / (a.high - a.low)
}

func (p *plot) px(v float64) float64 { return plotLeft + p.x.at(v)*plotInnerWidth }
func (p *plot) py(v float64) float64 { return plotTop + (1-p.y.at(v))*plotInnerHeight }

func (p *plot) drawSpan(b *strings.Builder, s plotSpan) {
	x, width := p.px(s.from), p.px(s.to)-p.px(s.from)
	fmt.Fprintf(b, `<rect class="span" x="%.1f" y="%d" width="%.1f" height="%d"/>`, x, plotTop, max(0, width), plotInnerHeight)
	if width > 7*float64(len(s.name)) {
		fmt.Fprintf(b, `<text class="spanname" x="%.1f" y="%d">%s</text>`, x+4, plotTop+12, template.HTMLEscapeString(s.name))
	}
}

func (p *plot) drawAxes(b *strings.Builder) {
	bottom := plotTop + plotInnerHeight
	for _, t := range p.y.ticks {
		y := p.py(t.at)
		fmt.Fprintf(b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>`, plotLeft, plotWidth-plotRight, y, y)
		fmt.Fprintf(b, `<text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>`, plotLeft-6, y+3.5, t.text)
	}
	for _, t := range p.x.ticks {
		fmt.Fprintf(b, `<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, p.px(t.at), bottom+15, t.text)
	}
	fmt.Fprintf(b, `<line class="axis" x1="%d" x2="%d" y1="%d" y2="%d"/>`, plotLeft, plotWidth-plotRight, bottom, bottom)
	fmt.Fprintf(b, `<text class="label" x="%d" y="%d" text-anchor="end">%s</text>`, plotWidth-plotRight, plotHeight-6, template.HTMLEscapeString(p.x.label))
	fmt.Fprintf(b, `<text class="label" x="8" y="%d">%s</text>`, plotTop-16, template.HTMLEscapeString(p.y.label))
}

func (p *plot) drawLine(b *strings.Builder, l *plotLine) {
	fmt.Fprintf(b, `<polyline class="line %s" points="`, l.class)
	for i := range l.x {
		if !p.y.log || l.y[i] > 0 {
			fmt.Fprintf(b, "%.1f,%.1f ", p.px(l.x[i]), p.py(l.y[i]))
		}
	}
	b.WriteString(`"/>`)
	if !p.markEnds {
		return
	}
	for i := range l.x {
		fmt.Fprintf(b, `<circle class="point %s" cx="%.1f" cy="%.1f" r="%d"><title>%s: %s</title></circle>`,
			l.class, p.px(l.x[i]), p.py(l.y[i]), plotPointPx, compact(l.x[i]), compact(l.y[i]))
	}
}

// drawLegend names the lines above the plot, from the right.
func (p *plot) drawLegend(b *strings.Builder) {
	if len(p.lines) < 2 {
		return
	}
	x := float64(plotWidth - plotRight)
	for i := len(p.lines) - 1; i >= 0; i-- {
		l := &p.lines[i]
		fmt.Fprintf(b, `<text class="legend" x="%.1f" y="%d" text-anchor="end">%s</text>`, x, plotTop-16, template.HTMLEscapeString(l.name))
		x -= 6.6*float64(len(l.name)) + 6
		if strings.HasPrefix(l.class, "dots") {
			fmt.Fprintf(b, `<circle class="point %s" cx="%.1f" cy="%d" r="%d"/>`, l.class, x-plotLegendDash/2, plotTop-20, plotPointPx)
		} else {
			fmt.Fprintf(b, `<line class="line %s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`, l.class, x-plotLegendDash, x, plotTop-20, plotTop-20)
		}
		x -= plotLegendDash + plotLegendStep
	}
}

// compact writes a value with three digits at most and a suffix.
func compact(v float64) string {
	for _, s := range []struct {
		at   float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= s.at {
			return strconv.FormatFloat(v/s.at, 'g', 3, 64) + s.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
