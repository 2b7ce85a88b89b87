package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// unbuilt are the commands that are planned and not there: they are refused by
// name, so that nobody looks for a typing error.
var unbuilt = []struct{ name, purpose string }{
	{"token", "sign a JWT for trying out permissions"},
	{"doctor", "check this host for a number of connections"},
}

func newUnbuiltCommands() []*cobra.Command {
	var commands []*cobra.Command
	for _, u := range unbuilt {
		commands = append(commands, &cobra.Command{
			Use:                u.name,
			Hidden:             true,
			DisableFlagParsing: true,
			RunE: func(*cobra.Command, []string) error {
				return usageError{fmt.Errorf("%s (%s) is not built yet", u.name, u.purpose)}
			},
		})
	}
	return commands
}
