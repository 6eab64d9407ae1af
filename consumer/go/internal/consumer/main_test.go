package consumer

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"disparo/consumer/internal/contract"
	"disparo/consumer/internal/running"
)

// inPanickingChild is set in the process that TestAPanicInAGoroutineExitsWithTheCodeOfABug starts.
const inPanickingChild = "IN_PANICKING_CHILD"

func TestAPanicInAGoroutineExitsWithTheCodeOfABug(t *testing.T) {
	if os.Getenv(inPanickingChild) != "" {
		go func() {
			defer running.ExitOnPanic()
			panic("a bug")
		}()
		select {}
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), inPanickingChild+"=1")
	output, err := child.CombinedOutput()
	var exited *exec.ExitError
	if !errors.As(err, &exited) || exited.ExitCode() != contract.ExitBug || !strings.HasPrefix(string(output), "a bug\n") {
		t.Errorf("%v\n%s", err, output)
	}
}

// Go ends a process with 2 when any goroutine panics, so one that was forgotten would break the table of exit codes.
func TestEveryGoroutineBeginsByDeferringExitOnPanic(t *testing.T) {
	set := token.NewFileSet()
	var files []*ast.File
	paths, err := filepath.Glob("../*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	bodies := bodiesByName(files)
	checked := 0
	for _, file := range files {
		ast.Inspect(file, func(node ast.Node) bool {
			function := startedBy(node)
			if function == nil {
				return true
			}
			checked++
			started := bodiesOf(function, bodies)
			if len(started) == 0 || slices.ContainsFunc(started, beginsOtherwise) {
				t.Error(set.Position(node.Pos()), "starts a goroutine that does not begin with defer running.ExitOnPanic()")
			}
			return true
		})
	}
	if checked < 20 {
		t.Error("found only", checked)
	}
}

// startedBy returns the function that a node starts in a goroutine of its own: by go, by Go of a group, or by AfterFunc.
func startedBy(node ast.Node) ast.Expr {
	if started, is := node.(*ast.GoStmt); is {
		return started.Call.Fun
	}
	call, is := node.(*ast.CallExpr)
	if !is || len(call.Args) == 0 {
		return nil
	}
	if name := nameOf(call.Fun); name == "Go" || name == "AfterFunc" {
		return call.Args[len(call.Args)-1]
	}
	return nil
}

// bodiesByName has the functions and methods of the package.
func bodiesByName(files []*ast.File) map[string][]*ast.BlockStmt {
	bodies := map[string][]*ast.BlockStmt{}
	for _, file := range files {
		for _, declared := range file.Decls {
			if function, is := declared.(*ast.FuncDecl); is {
				bodies[function.Name.Name] = append(bodies[function.Name.Name], function.Body)
			}
		}
	}
	return bodies
}

// bodiesOf returns the body of a literal, or of each function or method that the expression may name.
func bodiesOf(function ast.Expr, bodies map[string][]*ast.BlockStmt) []*ast.BlockStmt {
	if literal, is := function.(*ast.FuncLit); is {
		return []*ast.BlockStmt{literal.Body}
	}
	return bodies[nameOf(function)]
}

func nameOf(function ast.Expr) string {
	switch named := function.(type) {
	case *ast.SelectorExpr:
		return named.Sel.Name
	case *ast.Ident:
		return named.Name
	}
	return ""
}

func beginsOtherwise(body *ast.BlockStmt) bool {
	if len(body.List) == 0 {
		return true
	}
	deferred, is := body.List[0].(*ast.DeferStmt)
	return !is || nameOf(deferred.Call.Fun) != "ExitOnPanic"
}
