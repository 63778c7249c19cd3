package guard

import (
	"errors"
	"slices"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// Of a claim only the token knows the type. CEL calls values of two types unequal, so that
// a rule which keeps out (principal.claims.level != 3) would let in whoever's issuer writes
// "3" or [3]. Here such a comparison has no value.
var errTypes = errors.New("values of two types are compared")

// strictly makes the comparisons of values whose type is not known at load strict.
func strictly(checked *ast.AST) interpreter.InterpretableDecoratorV2 {
	open := map[int64]bool{} // comparisons, by their ids
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.CallKind {
			return
		}
		switch e.AsCall().FunctionName() {
		case operators.Equals, operators.NotEquals, operators.In:
			open[e.ID()] = slices.ContainsFunc(e.AsCall().Args(), func(arg ast.Expr) bool { return ofAnyType(comparedOf(checked, e, arg)) })
		}
	}))
	return func(i interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
		if call, ok := i.(interpreter.InterpretableCall); ok && open[call.ID()] {
			return &comparison{call}, nil
		}
		return i, nil
	}
}

// comparedOf is the type of what a comparison compares of an argument: of a map that
// something may be in, its keys.
func comparedOf(checked *ast.AST, comparison, arg ast.Expr) *types.Type {
	t := checked.GetType(arg.ID())
	call := comparison.AsCall()
	if call.FunctionName() == operators.In && arg == call.Args()[1] && t.Kind() == types.MapKind {
		return t.Parameters()[0]
	}
	return t
}

func ofAnyType(t *types.Type) bool {
	switch t.Kind() {
	case types.DynKind, types.AnyKind:
		return true
	case types.ListKind, types.MapKind:
		return slices.ContainsFunc(t.Parameters(), ofAnyType)
	}
	return false
}

// comparison is ==, != or `in` between values of which at least one may be of any type.
type comparison struct{ interpreter.InterpretableCall }

// OverloadID hides `in` from CEL's optimizer, which would put a set in its place.
func (c *comparison) OverloadID() string {
	if c.Function() == operators.In {
		return strictIn
	}
	return c.InterpretableCall.OverloadID()
}

// Eval is Exec for those who have no frame.
func (c *comparison) Eval(a cel.Activation) ref.Val { return c.Exec(interpreter.AsFrame(a)) }

// Exec compares.
func (c *comparison) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	a := c.Args()[0].Exec(frame)
	if types.IsUnknownOrError(a) {
		return a
	}
	b := c.Args()[1].Exec(frame)
	if types.IsUnknownOrError(b) {
		return b
	}
	if c.Function() == operators.In {
		return types.LabelErrNode(c.ID(), within(a, b))
	}
	equal := types.Equal(a, b)
	switch {
	case types.IsUnknownOrError(equal):
		return equal
	case equal != types.True && !comparableTo(a, b):
		return types.LabelErrNode(c.ID(), types.WrapErr(errTypes))
	case c.Function() == operators.NotEquals:
		return types.Bool(equal != types.True)
	}
	return equal
}

// within is `a in b`. Elements of another type are a fault only where none is a itself.
func within(a, b ref.Val) ref.Val {
	if !b.Type().HasTrait(traits.ContainerType) {
		return types.MaybeNoSuchOverloadErr(b)
	}
	container, _ := b.(traits.Container)
	found := container.Contains(a)
	_, isMap := b.(traits.Mapper)
	if elements, ok := b.(traits.Iterable); ok && found == types.False { // of a map, its keys
		for it := elements.Iterator(); it.HasNext() == types.True; {
			element := it.Next()
			if isMap && types.Equal(a, element) == types.True { // CEL does not find 3 under the key 3.0
				return types.True
			}
			if !comparableTo(a, element) {
				return types.WrapErr(errTypes)
			}
		}
	}
	return found
}

// comparableTo reports whether two values that are not equal are so by what they say, and
// not by their types alone. Null differs from anything.
func comparableTo(a, b ref.Val) bool {
	if a == types.NullValue || b == types.NullValue {
		return true
	}
	if left, isMap := a.(traits.Mapper); isMap {
		right, areMaps := b.(traits.Mapper)
		return areMaps && mapsComparable(left, right)
	}
	left, isList := a.(traits.Lister)
	right, areLists := b.(traits.Lister)
	if !isList || !areLists {
		return isList == areLists && (a.Type() == b.Type() || isNumber(a) && isNumber(b))
	}
	x, y := left.Iterator(), right.Iterator()
	for x.HasNext() == types.True && y.HasNext() == types.True {
		if !comparableTo(x.Next(), y.Next()) {
			return false
		}
	}
	return true
}

// mapsComparable is comparableTo of two maps: of their keys, and of what each has at the
// same one.
func mapsComparable(a, b traits.Mapper) bool {
	for keys := a.Iterator(); keys.HasNext() == types.True; {
		key := keys.Next()
		if value, found := b.Find(key); found {
			if !comparableTo(a.Get(key), value) {
				return false
			}
			continue
		}
		for others := b.Iterator(); others.HasNext() == types.True; {
			if !comparableTo(key, others.Next()) {
				return false
			}
		}
	}
	return true
}

func isNumber(v ref.Val) bool {
	switch v.Type() {
	case types.IntType, types.UintType, types.DoubleType:
		return true
	}
	return false
}

// strictIn is the overload of `in` that comparison stands for.
const strictIn = "strict_in"

// costs are those of our own overload: of a list each element is looked at, twice.
type costs struct{}

// CallCost returns the cost of a call, nil where CEL knows it.
func (costs) CallCost(_, overload string, args []ref.Val, _ ref.Val) *uint64 {
	if overload != strictIn {
		return nil
	}
	cost := uint64(1)
	if sized, ok := args[1].(traits.Sizer); ok {
		if n, ok := sized.Size().(types.Int); ok {
			cost += 2 * uint64(n)
		}
	}
	return &cost
}

var (
	_ interpreter.InterpretableCall   = (*comparison)(nil)
	_ interpreter.ActualCostEstimator = costs{}
)
