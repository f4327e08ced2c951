package main

import (
	"go/ast"
	"go/token"
	"sort"
	"strings"
)

// sdkResource reads a schema.Resource of the older SDK.
func (r *reader) sdkResource(value any) {
	resource, ok := value.(*literal)
	if !ok {
		r.result.Unread = append(r.result.Unread, "(the whole schema)")
		return
	}
	if version, ok := resource.fields["SchemaVersion"].(float64); ok {
		r.result.Version = int(version)
	}
	r.result.Customized = resource.fields["CustomizeDiff"] != nil
	r.sdkLevel("", r.schemaOf(resource))
}

func (r *reader) schemaOf(resource *literal) *literal {
	if lazy, ok := resource.fields["SchemaFunc"].(*function); ok {
		value, _ := r.run(lazy.here, lazy.node.Type, lazy.node.Body, nil).(*literal)
		return value
	}
	if lazy, ok := resource.fields["SchemaFunc"].(*named); ok {
		inner := r.module.load(lazy.path)
		if declared := inner.funcs[lazy.name]; declared != nil {
			there := &scope{pkg: inner, file: inner.owner[lazy.name]}
			value, _ := r.run(there, declared.Type, declared.Body, nil).(*literal)
			return value
		}
	}
	value, _ := resource.fields["Schema"].(*literal)
	return value
}

func (r *reader) sdkLevel(prefix string, level *literal) {
	if level == nil {
		r.result.Unread = append(r.result.Unread, prefix+"*")
		return
	}
	for name, value := range level.fields {
		path := prefix + name
		attribute, ok := value.(*literal)
		if !ok {
			r.result.Unread = append(r.result.Unread, path)
			continue
		}
		facts := r.sdkFacts(attribute)
		r.result.Attributes[path] = facts
		if element, ok := attribute.fields["Elem"].(*literal); ok {
			if element.fields["Schema"] != nil || element.fields["SchemaFunc"] != nil {
				r.sdkLevel(path+".", r.schemaOf(element))
			} else {
				for _, check := range r.sdkFacts(element).Checks {
					facts.Checks = append(facts.Checks, []any{"each", check})
				}
			}
		}
	}
}

func (r *reader) sdkFacts(attribute *literal) *Facts {
	f := attribute.fields
	facts := &Facts{
		Replace:    f["ForceNew"] == true,
		Computed:   f["Computed"] == true,
		Default:    plain(f["Default"]),
		Deprecated: text(f["Deprecated"]),
		Conflicts:  list(f["ConflictsWith"]),
		ExactlyOne: list(f["ExactlyOneOf"]),
		AtLeastOne: list(f["AtLeastOneOf"]),
		With:       list(f["RequiredWith"]),
		Min:        number(f["MinItems"]),
		Max:        number(f["MaxItems"]),
	}
	if n, ok := f["Default"].(*named); ok {
		facts.Default = r.short(n)
	}
	if kind, ok := f["Type"].(*named); ok {
		facts.Whole = kind.name == "TypeInt"
	}
	facts.Normal = r.normal(f["StateFunc"])
	for _, name := range []string{"ValidateFunc", "ValidateDiagFunc"} {
		if f[name] != nil {
			facts.Checks = append(facts.Checks, r.shown(f[name]))
		}
	}
	return facts
}

// normal tells how a StateFunc rewrites a JSON document: "json" (keys sorted, no spaces), or
// "policy" (the same, with the version first).
func (r *reader) normal(value any) string {
	names := ""
	switch v := value.(type) {
	case *named:
		names = v.name
	case *function:
		ast.Inspect(v.node.Body, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok {
				names += selector.Sel.Name
			}
			return true
		})
	}
	switch {
	case strings.Contains(names, "LegacyPolicyNormalize"):
		return "policy"
	case strings.Contains(names, "NormalizeJ"):
		return "json"
	}
	return ""
}

// recorded lists the attributes that a type's own file writes into the state when it reads.
func (r *reader) recorded(here *scope) []string {
	found := map[string]bool{}
	ast.Inspect(here.file, func(node ast.Node) bool {
		made, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := made.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if base, ok := selector.X.(*ast.Ident); ok && (base.Name == "d" || base.Name == "rd") && selector.Sel.Name == "Set" && len(made.Args) == 2 {
			if name, ok := r.evaluate(here, made.Args[0]).(string); ok {
				found[name] = true
			}
		}
		if selector.Sel.Name == "New" && typeName(selector.X) == "attrmap" {
			if names, ok := r.evaluate(here, made.Args[0]).(*literal); ok {
				for name := range names.fields {
					found[name] = true
				}
			}
		}
		return true
	})
	names := []string{}
	for name := range found {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// framework reads a resource built on the plugin framework, from its constructor.
func (r *reader) framework(here *scope, constructor *ast.FuncDecl) {
	owner := ""
	ast.Inspect(constructor.Body, func(node ast.Node) bool {
		if made, ok := node.(*ast.CompositeLit); ok && owner == "" {
			owner = typeName(made.Type)
		}
		return true
	})
	method := r.method(here.pkg, owner, "Schema")
	if method == nil {
		r.result.Unread = append(r.result.Unread, "(the whole schema)")
		return
	}
	r.result.Customized = r.method(here.pkg, owner, "ModifyPlan") != nil
	there := &scope{pkg: here.pkg, file: here.pkg.owner[typeName(method.Recv.List[0].Type)+".Schema"], vars: map[string]any{}}
	for _, statement := range method.Body.List {
		if s, ok := statement.(*ast.AssignStmt); ok && (s.Tok == token.ASSIGN || s.Tok == token.DEFINE) {
			r.assign(there, s)
		}
	}
	schema, _ := there.vars["response.Schema"].(*literal)
	if schema == nil {
		r.result.Unread = append(r.result.Unread, "(the whole schema)")
		return
	}
	r.result.Version = number(schema.fields["Version"])
	r.frameworkLevel("", schema)
}

// method finds a method of a type or of what it embeds.
func (r *reader) method(p *pkg, owner, name string) *ast.FuncDecl {
	if found := p.funcs[owner+"."+name]; found != nil {
		return found
	}
	for _, file := range p.files {
		for _, declaration := range file.Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range group.Specs {
				declared, ok := spec.(*ast.TypeSpec)
				if !ok || declared.Name.Name != owner {
					continue
				}
				structure, ok := declared.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range structure.Fields.List {
					if len(field.Names) == 0 {
						if found := r.method(p, typeName(field.Type), name); found != nil {
							return found
						}
					}
				}
			}
		}
	}
	return nil
}

func (r *reader) frameworkLevel(prefix string, level *literal) {
	for _, section := range []string{"Attributes", "Blocks"} {
		inner, _ := level.fields[section].(*literal)
		if inner == nil {
			continue
		}
		for name, value := range inner.fields {
			path := prefix + name
			switch attribute := value.(type) {
			case *literal:
				r.result.Attributes[path] = r.frameworkFacts(attribute)
				if nested, ok := attribute.fields["NestedObject"].(*literal); ok {
					r.frameworkLevel(path+".", nested)
				} else if attribute.fields["Attributes"] != nil || attribute.fields["Blocks"] != nil {
					r.frameworkLevel(path+".", attribute)
				}
			case *call:
				if name == "timeouts" {
					continue
				}
				r.result.Attributes[path] = &Facts{Computed: strings.Contains(attribute.name, "Computed")}
				r.result.Unread = append(r.result.Unread, path+" "+attribute.name)
			default:
				r.result.Unread = append(r.result.Unread, path)
			}
		}
	}
}

func (r *reader) frameworkFacts(attribute *literal) *Facts {
	f := attribute.fields
	facts := &Facts{Computed: f["Computed"] == true, Deprecated: text(f["DeprecationMessage"])}
	facts.Whole = strings.HasSuffix(attribute.kind, "Int64Attribute") || strings.HasSuffix(attribute.kind, "Int32Attribute")
	if set, ok := f["Default"].(*call); ok && len(set.args) > 0 {
		facts.Default = plain(set.args[0])
		if n, ok := set.args[0].(*named); ok {
			facts.Default = r.short(n)
		}
	} else if set, ok := f["Default"].(*call); ok {
		facts.Default = r.shown(set)
	}
	if modifiers, ok := f["PlanModifiers"].(*literal); ok {
		for _, one := range modifiers.items {
			if c, ok := one.(*call); ok {
				facts.Replace = facts.Replace || strings.HasSuffix(c.name, ".RequiresReplace") || strings.HasSuffix(c.name, ".RequiresReplaceIfConfigured")
				facts.Keep = facts.Keep || strings.HasSuffix(c.name, ".UseStateForUnknown")
			}
		}
	}
	switch custom := f["CustomType"].(type) {
	case *call:
		if strings.HasSuffix(custom.name, "StringEnumType") {
			facts.Checks = append(facts.Checks, r.shown(custom))
		}
	case *literal:
		facts.Checks = append(facts.Checks, "types."+custom.kind)
	}
	if validators, ok := f["Validators"].(*literal); ok {
		for _, one := range validators.items {
			facts.Checks = append(facts.Checks, r.shown(one))
		}
	}
	return facts
}

// shown returns a value as JSON can hold it: a call as a list that begins with its name.
func (r *reader) shown(value any) any {
	switch v := value.(type) {
	case *call:
		result := []any{v.name}
		for _, one := range v.types {
			result = append(result, r.shown(one))
		}
		for _, one := range v.args {
			if n, ok := one.(*named); ok && n.name == "ctx" {
				continue
			}
			result = append(result, r.shown(one))
		}
		return result
	case *named:
		return r.short(v)
	case *literal:
		result := []any{}
		for _, one := range v.items {
			result = append(result, r.shown(one))
		}
		return result
	case *function:
		return "(a function)"
	}
	return value
}

func plain(value any) any {
	switch value.(type) {
	case string, float64, bool:
		return value
	}
	return nil
}

func text(value any) string {
	result, _ := value.(string)
	return result
}

func number(value any) int {
	result, _ := value.(float64)
	return int(result)
}

func list(value any) []any {
	whole, ok := value.(*literal)
	if !ok {
		return nil
	}
	result := []any{}
	for _, one := range whole.items {
		result = append(result, plain(one))
	}
	return result
}
