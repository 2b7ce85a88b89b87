package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// pkg is one folder with Go files in it.
type pkg struct {
	name  string // path below the root: codec/ws
	files []source
}

type source struct {
	path    string // below the root
	test    bool
	syntax  *ast.File
	imports []string
}

// packages parses every Go file of the module, by folder. Folders with a go.mod
// of their own are other modules.
func packages(t *testing.T) []pkg {
	t.Helper()
	root := os.DirFS("../..")
	var found []pkg
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		base := path.Base(name)
		if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || base == "bin") {
			return fs.SkipDir
		}
		if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil && name != "." {
			return fs.SkipDir
		}
		if p := parseFolder(t, name); len(p.files) > 0 {
			found = append(found, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func parseFolder(t *testing.T, folder string) pkg {
	t.Helper()
	p := pkg{name: folder}
	names, err := filepath.Glob(filepath.Join("../..", folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		syntax, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		f := source{path: path.Join(folder, filepath.Base(name)), test: strings.HasSuffix(name, "_test.go"), syntax: syntax}
		for _, spec := range syntax.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			f.imports = append(f.imports, imported)
		}
		p.files = append(p.files, f)
	}
	return p
}

// below reports whether an import path or folder is root or lies in it.
func below(name, root string) bool {
	return name == root || strings.HasPrefix(name, root+"/")
}
