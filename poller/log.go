package poller

import (
	"fmt"
	"log/slog"
)

// gnetLogger sends gnet's log to ours. What gnet calls information is detail to a reader of our log, and
// so is its one warning, of an event for a connection that was closed a moment ago: that is usual.
type gnetLogger struct {
	log  *slog.Logger
	loop *Loop // that the log is of
}

func (g gnetLogger) Debugf(format string, args ...any) {
	g.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Infof(format string, args ...any) {
	g.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Warnf(format string, args ...any) {
	g.log.Debug("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Errorf(format string, args ...any) {
	if format == acceptLogFormat && len(args) == 1 {
		if err, ok := args[0].(error); ok {
			g.loop.acceptFailed(err)
			return
		}
	}
	g.log.Warn("gnet: " + fmt.Sprintf(format, args...))
}
func (g gnetLogger) Fatalf(format string, args ...any) {
	g.log.Error("gnet: " + fmt.Sprintf(format, args...))
}
