// Command megawire is the server and the tools around it.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/megawire/megawire/server/config"
)

func main() { os.Exit(run(newRootCommand())) }

// What a command leaves with.
const (
	exitFailed = 1 // it was tried and did not work
	exitUsage  = 2 // it was asked for wrongly, and nothing was tried
)

// usageError is a fault in what was typed or configured.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func run(root *cobra.Command) int {
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "megawire: %v\n", err)
	if errors.As(err, &usageError{}) {
		return exitUsage
	}
	return exitFailed
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "megawire",
		Short:         "A WebSocket push server and its tools",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(explainFlagError)
	root.AddCommand(newServeCommand(), newConfigCommand(), newVersionCommand())
	root.AddCommand(newPubCommand())
	root.AddCommand(newSubCommand())
	root.AddCommand(newUnbuiltCommands()...)
	wantSubcommand(root)
	return root
}

// wantSubcommand makes a command that only groups others refuse a name that it
// does not have, with the nearest that it has.
func wantSubcommand(group *cobra.Command) {
	group.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		err := fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())
		if near := config.Nearest(args[0], commandNames(cmd)); near != "" {
			return usageError{fmt.Errorf("%w; did you mean %s?", err, near)}
		}
		return usageError{fmt.Errorf("%w; \"%s --help\" lists them", err, cmd.CommandPath())}
	}
	group.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

func commandNames(group *cobra.Command) []string {
	var names []string
	for _, c := range group.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// explainFlagError adds the nearest flag to "unknown flag".
func explainFlagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err}
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if near := config.Nearest(unknown.GetSpecifiedName(), names); near != "" {
		return usageError{fmt.Errorf("%w; did you mean --%s?", err, near)}
	}
	return usageError{fmt.Errorf("%w; \"%s --help\" lists them", err, cmd.CommandPath())}
}
