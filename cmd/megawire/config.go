package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/megawire/megawire/server/config"
)

func newConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print or check the configuration",
	}
	cmd.AddCommand(newConfigPrintCommand(), newConfigCheckCommand())
	wantSubcommand(cmd)
	return cmd
}

func newConfigPrintCommand() *cobra.Command {
	var settings settingsFlags
	cmd := &cobra.Command{
		Use:   "print",
		Short: "Print the effective configuration and where each value came from",
		Long: "Print what a server started with the same file, environment and flags would\n" +
			"run with, as a YAML file with the origin of each value behind it.",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, origins, err := settings.load(cmd)
			if err != nil {
				return err
			}
			return config.Print(cmd.OutOrStdout(), &cfg, origins)
		},
	}
	settings.register(cmd)
	return cmd
}

func newConfigCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a configuration file, environment and flags left aside",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("config check takes one file, as in: megawire config check megawire.yaml")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, _, err := config.Load(nil, args[0], nil); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s is a valid configuration\n", args[0])
			return err
		},
	}
}

// settingsFlags are --config and a flag for every key.
type settingsFlags struct{ file string }

func (s *settingsFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "config", os.Getenv("MEGAWIRE_CONFIG"), "configuration `file` (YAML); MEGAWIRE_CONFIG names one too")
	config.RegisterFlags(cmd.Flags())
	cmd.Flags().SortFlags = false
}

func (s *settingsFlags) load(cmd *cobra.Command) (config.Config, config.Origins, error) {
	cfg, origins, err := config.Load(cmd.Flags(), s.file, os.Environ())
	if err != nil {
		return cfg, origins, usageError{err}
	}
	return cfg, origins, nil
}
