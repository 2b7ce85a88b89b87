// Package config reads the server's settings: built-in defaults, under a YAML
// file, under MEGAWIRE_* environment variables, under command line flags.
//
// [Config] is the one list of keys. Its struct tags give each key its name,
// its bounds and its meaning; flags, environment names, the printed form and
// the checks are all derived from them, so a key cannot exist in one place
// and be missing in another. What is not a key is refused, with the nearest
// key and the place where it stands.
package config
