package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

const modulePath = "github.com/hashicorp/terraform-provider-aws/"

// module is the provider's source, parsed package by package when asked for.
type module struct {
	root     string
	packages map[string]*pkg
}

// pkg is one package: its files and its top-level declarations by name.
type pkg struct {
	folder string
	files  []*ast.File
	funcs  map[string]*ast.FuncDecl // methods as Type.Method
	values map[string]ast.Expr
	owner  map[string]*ast.File
}

// scope is where an expression stands: for its names and imports, and the arguments of its function.
type scope struct {
	pkg  *pkg
	file *ast.File
	vars map[string]any
}

func (m *module) services() []string {
	folders, _ := filepath.Glob(filepath.Join(m.root, "internal/service/*"))
	sort.Strings(folders)
	return folders
}

func (m *module) load(folder string) *pkg {
	if known := m.packages[folder]; known != nil {
		return known
	}
	result := &pkg{folder: folder, funcs: map[string]*ast.FuncDecl{}, values: map[string]ast.Expr{},
		owner: map[string]*ast.File{}}
	m.packages[folder] = result
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(folder, name), nil, parser.ParseComments)
		if err != nil {
			continue
		}
		result.files = append(result.files, file)
		for _, declaration := range file.Decls {
			result.declare(file, declaration)
		}
	}
	return result
}

func (p *pkg) declare(file *ast.File, declaration ast.Decl) {
	switch declared := declaration.(type) {
	case *ast.FuncDecl:
		name := declared.Name.Name
		if declared.Recv != nil {
			name = typeName(declared.Recv.List[0].Type) + "." + name
		}
		p.funcs[name], p.owner[name] = declared, file
	case *ast.GenDecl:
		for _, spec := range declared.Specs {
			if value, ok := spec.(*ast.ValueSpec); ok {
				for index, name := range value.Names {
					if index < len(value.Values) {
						p.values[name.Name], p.owner[name.Name] = value.Values[index], file
					}
				}
			}
		}
	}
}

func typeName(expr ast.Expr) string {
	switch t := expr.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.IndexExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return typeName(t.X) + "." + t.Sel.Name
	}
	return ""
}

func (m *module) fileOf(folder string, function *ast.FuncDecl) *ast.File {
	name := function.Name.Name
	if function.Recv != nil {
		name = typeName(function.Recv.List[0].Type) + "." + name
	}
	return m.load(folder).owner[name]
}

// imported returns the import path that a name stands for in a file, or "".
func imported(file *ast.File, name string) string {
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil {
			if spec.Name.Name == name {
				return path
			}
		} else if base := filepath.Base(path); base == name || strings.TrimPrefix(filepath.Base(filepath.Dir(path)), "") == name && strings.HasPrefix(base, "v") {
			return path
		}
	}
	return ""
}

// returned returns what a function's last return statement gives first, or nil.
func returned(function *ast.FuncDecl) ast.Expr {
	if function.Body == nil {
		return nil
	}
	return returnedFrom(function.Body)
}

func returnedFrom(body *ast.BlockStmt) ast.Expr {
	for index := len(body.List) - 1; index >= 0; index-- {
		if statement, ok := body.List[index].(*ast.ReturnStmt); ok && len(statement.Results) > 0 {
			return statement.Results[0]
		}
	}
	return nil
}
