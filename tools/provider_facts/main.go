// Reads what hashicorp/aws decides about each attribute, from the provider's source alone.
//
//	go run ./tools/provider_facts -source FOLDER -types NAMES > facts.json
//
// FOLDER is the provider's module as `go mod download` unpacks it; NAMES is a comma-separated list.
// Nothing of the provider is compiled: schemas are literals, and this program evaluates the small
// part of Go that writes them (literals, constants, calls of functions that return literals).
// What it cannot evaluate it names in "unread", so that a person can write it by hand.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"sort"
	"strings"
)

var annotation = regexp.MustCompile(`@(SDK|Framework)(Resource|DataSource)\("(aws_\w+)"`)

// Facts is what a schema says about one attribute or block beyond its type.
type Facts struct {
	Replace    bool   `json:"replace,omitempty"`
	Computed   bool   `json:"computed,omitempty"`
	Default    any    `json:"default,omitempty"`
	Keep       bool   `json:"keep,omitempty"` // UseStateForUnknown
	Min        int    `json:"min,omitempty"`
	Max        int    `json:"max,omitempty"`
	Whole      bool   `json:"whole,omitempty"` // an integer in the SDK
	Document   bool   `json:"document,omitempty"`
	Normal     string `json:"normal,omitempty"` // how a JSON document is rewritten
	Deprecated string `json:"deprecated,omitempty"`
	Checks     []any  `json:"checks,omitempty"`
	Conflicts  []any  `json:"conflicts,omitempty"`
	ExactlyOne []any  `json:"exactly_one,omitempty"`
	AtLeastOne []any  `json:"at_least_one,omitempty"`
	With       []any  `json:"required_with,omitempty"`
}

// Type is one resource type or data source.
type Type struct {
	SDK        bool              `json:"sdk"`
	Version    int               `json:"version"`
	Customized bool              `json:"customized,omitempty"` // has a CustomizeDiff or ModifyPlan of its own
	Attributes map[string]*Facts `json:"attributes"`
	Recorded   []string          `json:"recorded,omitempty"`
	Unread     []string          `json:"unread,omitempty"`
}

func main() {
	source := flag.String("source", "", "the provider's module, unpacked")
	names := flag.String("types", "", "resource types, separated by commas; data sources as data.NAME")
	flag.Parse()
	module := &module{root: *source, packages: map[string]*pkg{}}
	wanted := map[string]bool{}
	for _, name := range strings.Split(*names, ",") {
		wanted[name] = true
	}
	found := map[string]*Type{}
	for _, folder := range module.services() {
		for _, file := range module.load(folder).files {
			for _, declaration := range file.Decls {
				function, ok := declaration.(*ast.FuncDecl)
				if !ok || function.Doc == nil {
					continue
				}
				for _, match := range annotation.FindAllStringSubmatch(function.Doc.Text()+comments(function.Doc), -1) {
					name := match[3]
					if match[2] == "DataSource" {
						name = "data." + name
					}
					if wanted[name] && found[name] == nil {
						found[name] = module.read(folder, function, match[1] == "SDK")
					}
				}
			}
		}
	}
	missing := []string{}
	for name := range wanted {
		if found[name] == nil {
			missing = append(missing, name)
		}
	}
	if sort.Strings(missing); len(missing) > 0 {
		fmt.Fprintln(os.Stderr, "not in the source:", strings.Join(missing, ", "))
		os.Exit(2)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(found); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func comments(group *ast.CommentGroup) string {
	text := ""
	for _, line := range group.List {
		text += line.Text + "\n"
	}
	return text
}

// read returns one type from the function that the provider's own generator finds it by.
func (m *module) read(folder string, function *ast.FuncDecl, sdk bool) *Type {
	result := &Type{SDK: sdk, Attributes: map[string]*Facts{}}
	reader := &reader{module: m, result: result}
	here := &scope{pkg: m.load(folder), file: m.fileOf(folder, function)}
	var schema any
	if sdk {
		schema = reader.evaluate(here, returned(function))
		reader.sdkResource(schema)
		result.Recorded = reader.recorded(here)
	} else {
		reader.framework(here, function)
	}
	sort.Strings(result.Unread)
	return result
}
