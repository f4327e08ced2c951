package main

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// The values of the evaluator, beside strings, numbers (float64), booleans and nil.

// literal is a composite literal: a structure or map by field or key, a list by items.
type literal struct {
	kind   string
	fields map[string]any
	items  []any
}

// call is a call that is not evaluated further: of another module, or of what checks a value.
type call struct {
	name  string
	types []any
	args  []any
}

// named is a name of another module, or a function.
type named struct{ path, name string }

// function is a function literal where it stands.
type function struct {
	here *scope
	node *ast.FuncLit
}

// Packages of the provider whose functions are vocabulary: named, not looked into.
var vocabulary = map[string]bool{
	"internal/enum": true, "internal/verify": true, "internal/framework/types": true,
	"internal/framework/validators": true, "internal/create": true, "internal/flex": true,
	"internal/framework/planmodifiers": true, "internal/framework/flex": true,
}

const deepest = 40

type reader struct {
	module *module
	result *Type
	depth  int
}

func (r *reader) evaluate(here *scope, expr ast.Expr) any {
	if r.depth++; r.depth > deepest {
		r.depth--
		return nil
	}
	defer func() { r.depth-- }()
	switch e := expr.(type) {
	case *ast.BasicLit:
		return basic(e)
	case *ast.Ident:
		return r.ident(here, e.Name)
	case *ast.SelectorExpr:
		return r.selector(here, e)
	case *ast.ParenExpr:
		return r.evaluate(here, e.X)
	case *ast.UnaryExpr:
		value := r.evaluate(here, e.X)
		if number, ok := value.(float64); ok && e.Op == token.SUB {
			return -number
		}
		return value
	case *ast.BinaryExpr:
		return binary(e.Op, r.evaluate(here, e.X), r.evaluate(here, e.Y))
	case *ast.CompositeLit:
		return r.composite(here, e)
	case *ast.FuncLit:
		return &function{here, e}
	case *ast.CallExpr:
		return r.call(here, e)
	case *ast.IndexExpr:
		return r.evaluate(here, e.X)
	}
	return nil
}

func basic(e *ast.BasicLit) any {
	switch e.Kind {
	case token.STRING, token.CHAR:
		text, _ := strconv.Unquote(e.Value)
		return text
	default:
		if whole, err := strconv.ParseInt(e.Value, 0, 64); err == nil {
			return float64(whole)
		}
		number, _ := strconv.ParseFloat(strings.ReplaceAll(e.Value, "_", ""), 64)
		return number
	}
}

func binary(op token.Token, left, right any) any {
	if a, ok := left.(string); ok {
		if b, ok := right.(string); ok && op == token.ADD {
			return a + b
		}
	}
	a, one := left.(float64)
	b, other := right.(float64)
	if one && other {
		switch op {
		case token.ADD:
			return a + b
		case token.SUB:
			return a - b
		case token.MUL:
			return a * b
		case token.SHL:
			return float64(int64(a) << uint(b))
		}
	}
	return nil
}

func (r *reader) ident(here *scope, name string) any {
	switch name {
	case "true":
		return true
	case "false":
		return false
	case "nil":
		return nil
	}
	if value, ok := here.vars[name]; ok {
		return value
	}
	if value, ok := here.pkg.values[name]; ok {
		return r.evaluate(&scope{pkg: here.pkg, file: here.pkg.owner[name]}, value)
	}
	return &named{here.pkg.folder, name}
}

func (r *reader) selector(here *scope, e *ast.SelectorExpr) any {
	base, ok := e.X.(*ast.Ident)
	if !ok {
		return &named{"", e.Sel.Name}
	}
	path := imported(here.file, base.Name)
	if strings.HasPrefix(path, modulePath) {
		inner := r.module.load(filepath.Join(r.module.root, strings.TrimPrefix(path, modulePath)))
		if value, ok := inner.values[e.Sel.Name]; ok {
			return r.evaluate(&scope{pkg: inner, file: inner.owner[e.Sel.Name]}, value)
		}
		return &named{inner.folder, e.Sel.Name}
	}
	if path == "" {
		return &named{base.Name, e.Sel.Name}
	}
	return &named{path, e.Sel.Name}
}

func (r *reader) composite(here *scope, e *ast.CompositeLit) any {
	result := &literal{kind: typeName(e.Type), fields: map[string]any{}}
	_, isMap := e.Type.(*ast.MapType)
	for _, element := range e.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			result.items = append(result.items, r.evaluate(here, element))
			continue
		}
		if field, ok := pair.Key.(*ast.Ident); ok && !isMap {
			result.fields[field.Name] = r.evaluate(here, pair.Value)
		} else if key, ok := r.evaluate(here, pair.Key).(string); ok {
			result.fields[key] = r.evaluate(here, pair.Value)
		}
	}
	return result
}

func (r *reader) call(here *scope, e *ast.CallExpr) any {
	callee := e.Fun
	var types []any
	switch index := callee.(type) {
	case *ast.IndexExpr:
		callee, types = index.X, []any{r.evaluate(here, index.Index)}
	case *ast.IndexListExpr:
		callee = index.X
		for _, one := range index.Indices {
			types = append(types, r.evaluate(here, one))
		}
	}
	args := []any{}
	for _, argument := range e.Args {
		args = append(args, r.evaluate(here, argument))
	}
	switch target := r.evaluate(here, callee).(type) {
	case *function:
		return r.run(&scope{pkg: target.here.pkg, file: target.here.file, vars: target.here.vars},
			target.node.Type, target.node.Body, args)
	case *named:
		short := r.short(target)
		if short == "maps.Clone" && len(args) == 1 {
			return args[0]
		}
		relative, inside := strings.CutPrefix(target.path, r.module.root+"/")
		if inside && !vocabulary[relative] {
			inner := r.module.load(target.path)
			if declared := inner.funcs[target.name]; declared != nil {
				there := &scope{pkg: inner, file: inner.owner[target.name]}
				if value := r.run(there, declared.Type, declared.Body, args); value != nil {
					return value
				}
			}
		}
		return &call{short, types, args}
	case *call:
		if len(target.args) == 1 && strings.HasPrefix(target.name, "sync.OnceValue") {
			if inner, ok := target.args[0].(*function); ok {
				return r.run(inner.here, inner.node.Type, inner.node.Body, args)
			}
		}
	case string, float64: // a conversion of a constant, such as int64(1)
		return target
	}
	return nil
}

// run evaluates a function's body: its definitions in order, and what it returns at the end.
func (r *reader) run(here *scope, signature *ast.FuncType, body *ast.BlockStmt, args []any) any {
	vars := map[string]any{}
	for name, value := range here.vars {
		vars[name] = value
	}
	index := 0
	for _, field := range signature.Params.List {
		for _, name := range field.Names {
			if index < len(args) {
				vars[name.Name] = args[index]
			}
			index++
		}
	}
	inner := &scope{pkg: here.pkg, file: here.file, vars: vars}
	for _, statement := range body.List {
		switch s := statement.(type) {
		case *ast.AssignStmt:
			r.assign(inner, s)
		case *ast.ReturnStmt:
			if len(s.Results) > 0 {
				return r.evaluate(inner, s.Results[0])
			}
		}
	}
	return nil
}

func (r *reader) assign(here *scope, s *ast.AssignStmt) {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return
	}
	value := r.evaluate(here, s.Rhs[0])
	switch target := s.Lhs[0].(type) {
	case *ast.Ident:
		here.vars[target.Name] = value
	case *ast.IndexExpr:
		if whole, ok := r.evaluate(here, target.X).(*literal); ok {
			if key, ok := r.evaluate(here, target.Index).(string); ok {
				whole.fields[key] = value
			}
		}
	case *ast.SelectorExpr:
		if target.Sel.Name == "Schema" {
			here.vars["response.Schema"] = value
		}
	}
}

// short returns a name as it is written: package.Name.
func (r *reader) short(n *named) string {
	if n.path == "" {
		return n.name
	}
	path := strings.TrimPrefix(n.path, r.module.root+"/")
	if strings.HasPrefix(path, "internal/service/") {
		return strings.TrimPrefix(path, "internal/service/") + "." + n.name
	}
	if strings.Contains(path, "aws-sdk-go-v2/service/") {
		return "sdk:" + strings.Split(strings.Split(path, "aws-sdk-go-v2/service/")[1], "/")[0] + "." + n.name
	}
	base := filepath.Base(path)
	if strings.HasPrefix(base, "v") && len(base) == 2 {
		base = filepath.Base(filepath.Dir(path))
	}
	return base + "." + n.name
}
