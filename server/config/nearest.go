package config

import "strings"

// Nearest returns the name that somebody who wrote wrong most likely meant, or
// "" where none is near.
func Nearest(wrong string, names []string) string {
	best, bestDistance := "", len(wrong)/3+2
	wrong = strings.ToLower(wrong)
	for _, name := range names {
		d := distance(wrong, strings.ToLower(name))
		if last := name[strings.LastIndexByte(name, '.')+1:]; !strings.Contains(wrong, ".") {
			// A key written without its section is the commonest slip.
			d = min(d, distance(wrong, strings.ToLower(last))+1)
		}
		if d < bestDistance {
			best, bestDistance = name, d
		}
	}
	return best
}

// distance is Levenshtein's: the fewest bytes inserted, removed or replaced.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func keyNames() []string {
	names := make([]string, 0, len(allKeys()))
	for _, k := range allKeys() {
		names = append(names, k.Name)
	}
	return names
}

func envNames() []string {
	names := make([]string, 0, len(allKeys()))
	for _, k := range allKeys() {
		names = append(names, k.Env)
	}
	return names
}
