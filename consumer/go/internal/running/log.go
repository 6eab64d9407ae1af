package running

import (
	"io"
	"log/slog"
	"os"
	"time"
)

const levelTrace = slog.Level(-8)

// levels are the words of LOG_LEVEL, and the numbers that every app of Disparo writes for them.
var levels = map[string]struct {
	level  slog.Level
	number int
}{
	"trace":  {levelTrace, 10},
	"debug":  {slog.LevelDebug, 20},
	"info":   {slog.LevelInfo, 30},
	"warn":   {slog.LevelWarn, 40},
	"error":  {slog.LevelError, 50},
	"silent": {slog.Level(100), 0},
}

// NewLog writes JSON lines, from the level that a word of LOG_LEVEL names, with the fields of the other apps: level as a
// number, time in UTC with milliseconds, pid, hostname, name, msg.
func NewLog(out io.Writer, name, word string) *slog.Logger {
	handler := slog.NewJSONHandler(out, &slog.HandlerOptions{
		Level: levels[word].level,
		ReplaceAttr: func(groups []string, attribute slog.Attr) slog.Attr {
			if len(groups) > 0 {
				return attribute
			}
			switch value := attribute.Value.Any().(type) {
			case time.Time:
				return slog.String(attribute.Key, value.UTC().Format("2006-01-02T15:04:05.000Z"))
			case slog.Level:
				return slog.Int(attribute.Key, numberOf(value))
			}
			return attribute
		},
	})
	hostname, _ := os.Hostname()
	return slog.New(handler).With("pid", os.Getpid(), "hostname", hostname, "name", name)
}

func numberOf(level slog.Level) int {
	for _, known := range levels {
		if known.level == level {
			return known.number
		}
	}
	return int(level)
}
