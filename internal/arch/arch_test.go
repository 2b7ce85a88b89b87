package arch

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

func TestEveryPackageIsInTheTable(t *testing.T) {
	exists := map[string]bool{}
	for _, p := range packages(t) {
		exists[p.name] = true
		if _, ok := imports[p.name]; !ok {
			t.Errorf("%s is not in the import table: say in internal/arch/table.go what it may import", p.name)
		}
	}
	for name := range imports {
		if !exists[name] {
			t.Errorf("%s is in the import table and has no Go files", name)
		}
	}
}

func TestProjectImports(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, imported := range f.imports {
				name, ours := strings.CutPrefix(imported, module+"/")
				if ours && !f.test && !slices.Contains(imports[p.name], name) {
					t.Errorf("%s imports %s; the table lets %s import %v", f.path, name, p.name, imports[p.name])
				}
			}
		}
	}
}

func TestLibrariesEnterThroughOneFolder(t *testing.T) {
	used := map[string]bool{}
	for _, p := range packages(t) {
		for _, f := range p.files {
			for _, imported := range f.imports {
				lib, ok := findLibrary(imported)
				switch {
				case ok && (slices.Contains(lib.in, p.name) || f.test && lib.inTests):
					used[lib.path] = true
				case ok:
					t.Errorf("%s imports %s, which enters through %v alone", f.path, imported, lib.in)
				case thirdParty(imported):
					t.Errorf("%s imports %s, a library that the table does not know", f.path, imported)
				}
			}
		}
	}
	if !used["github.com/panjf2000/gnet"] {
		t.Error("no package imports gnet: the test no longer sees the sources")
	}
}

func TestPureCores(t *testing.T) {
	for _, p := range packages(t) {
		for folder, banned := range purity {
			if !below(p.name, folder) {
				continue
			}
			for _, f := range p.files {
				for _, imported := range f.imports {
					if !f.test && slices.Contains(banned, imported) && (imported != "sync" || !onlyPools(f.syntax)) {
						t.Errorf("%s imports %s; %s takes bytes and events and returns values", f.path, imported, folder)
					}
				}
			}
		}
		for _, folder := range withoutGoroutines {
			if below(p.name, folder) {
				checkNoGoroutine(t, p)
			}
		}
	}
}

// onlyPools reports whether a file uses nothing of package sync but its Pool.
func onlyPools(file *ast.File) bool {
	only := true
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "sync" && s.Sel.Name != "Pool" {
				only = false
			}
		}
		return true
	})
	return only
}

func checkNoGoroutine(t *testing.T, p pkg) {
	t.Helper()
	for _, f := range p.files {
		if f.test {
			continue
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			if _, ok := n.(*ast.GoStmt); ok {
				t.Errorf("%s starts a goroutine; goroutines live outside the pure cores", f.path)
			}
			return true
		})
	}
}

// TestEveryPackageSaysWhatItIs wants one package comment that begins as godoc
// expects it and is a sentence.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	for _, p := range packages(t) {
		var docs []source
		shipped := false
		for _, f := range p.files {
			shipped = shipped || !f.test
			if f.syntax.Doc != nil && f.syntax.Doc.Text() != "" {
				docs = append(docs, f)
			}
		}
		if len(docs) != 1 {
			t.Errorf("%s has %d package comments, want one", p.name, len(docs))
			continue
		}
		text := docs[0].syntax.Doc.Text()
		want := "Package " + strings.TrimSuffix(docs[0].syntax.Name.Name, "_test") + " "
		if docs[0].syntax.Name.Name == "main" {
			want = "Command " + path.Base(p.name) + " "
		}
		if !strings.HasPrefix(text, want) || !strings.Contains(text, ".") {
			t.Errorf("%s: the package comment is not a sentence that begins with %q", docs[0].path, want)
		}
		if shipped && docs[0].test {
			t.Errorf("%s: the package comment stands in a test, where godoc does not look", docs[0].path)
		}
	}
}

func TestDocFiles(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(docFiles, p.name) {
			continue
		}
		i := slices.IndexFunc(p.files, func(f source) bool { return path.Base(f.path) == "doc.go" })
		if i < 0 || p.files[i].syntax.Doc == nil {
			t.Errorf("%s has no doc.go with its threading and flow", p.name)
		}
	}
}

func findLibrary(imported string) (library, bool) {
	for _, l := range libraries {
		if below(imported, l.path) {
			return l, true
		}
	}
	return library{}, false
}

// thirdParty reports whether a path is neither of the standard library, whose
// first element has no dot, nor ours.
func thirdParty(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return strings.Contains(first, ".") && !below(imported, module)
}
