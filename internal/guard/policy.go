package guard

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
)

// The bounds of a policy.
const (
	maxPolicy      = 4 << 10 // bytes of the expression
	maxPolicyCost  = 10_000  // CEL's units for one evaluation; keeping count of them in loops is itself the dearest part
	maxPolicyDepth = 50      // parentheses, calls and operators in one another
	maxPolicyNodes = 2_000   // after macros are expanded
	maxPolicyLoops = 2       // comprehensions in one another
	maxPolicyRegex = 500     // instructions of a compiled pattern
)

// What the estimate of a policy's cost takes for granted where only the request or
// the token knows: a policy that could cost too much with no more is refused at load.
// One that meets more at run time is held by maxPolicyCost.
const (
	usualListLength = 24
	usualTextLength = 128
)

// policy is the compiled expression of one guard. It is safe for concurrent use.
type policy struct {
	program cel.Program
	place   func(id int64) string // where in the expression a node stands
	claims  []string              // the foreign claims it names, sorted
}

// compilePolicy checks an expression and makes it ready. foreign says whether a trust
// is accepted, whose tokens have further claims; fields are the identity headers of
// the guard. The error says where the fault is and what to mend.
func compilePolicy(text string, foreign bool, fields []field) (*policy, error) {
	if len(text) > maxPolicy {
		return nil, fmt.Errorf("policy: the expression is longer than %d bytes", maxPolicy)
	}
	facts := factsOf()
	env, err := policyEnv(facts)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, policyIssues(text, issues, env)
	}
	words := &wordCheck{facts: facts, info: parsed.NativeRep().SourceInfo(), foreign: foreign, fields: fields}
	if err := words.walk(parsed.NativeRep().Expr()); err != nil {
		return nil, policyFaults(strings.Split(err.Error(), "\n"))
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, policyIssues(text, issues, env)
	}
	if got := checked.OutputType(); !got.IsExactType(cel.BoolType) {
		hint := ""
		if got.IsExactType(cel.DynType) {
			hint = ": compare it, as in principal.claims.member == true"
		}
		return nil, fmt.Errorf("policy: the expression must be true or false, and this one is of the type %s%s", got, hint)
	}
	cost, err := env.EstimateCost(checked, usual{})
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	if cost.Max > maxPolicyCost {
		return nil, fmt.Errorf("policy: the expression may cost %s units with lists of %d elements, and %d is the limit: nest fewer loops",
			units(cost.Max), usualListLength, maxPolicyCost)
	}
	program, err := env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxPolicyCost),
		cel.CostTracking(costs{}), cel.CustomDecoratorV2(strictly(checked.NativeRep())))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	slices.Sort(words.claims)
	return &policy{program: program, place: words.place, claims: slices.Compact(words.claims)}, nil
}

func units(n uint64) string {
	if n == math.MaxUint64 {
		return "any number of"
	}
	return fmt.Sprint(n)
}

func policyEnv(facts map[string]map[string]fact) (*cel.Env, error) {
	return cel.NewEnv(
		cel.ParserExpressionSizeLimit(maxPolicy),
		cel.ParserRecursionLimit(maxPolicyDepth),
		cel.ParserErrorRecoveryLimit(5),
		cel.ExpressionNodeLimit(maxPolicyNodes),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ASTValidators(
			cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateRegexLiterals(),
			cel.ValidateHomogeneousAggregateLiterals(), cel.ValidateComprehensionNestingLimit(maxPolicyLoops),
		),
		ext.Strings(), ext.Network(),
		factProvider(facts),
		cel.Variable(principalVar, cel.ObjectType(principalType)),
		cel.Variable(requestVar, cel.ObjectType(requestType)),
	)
}

// provider adds the types of our two variables to CEL's own.
type provider struct {
	types.Provider
	facts  map[string]map[string]fact
	fields map[string]map[string]*types.FieldType
}

func factProvider(facts map[string]map[string]fact) cel.EnvOption {
	return func(env *cel.Env) (*cel.Env, error) {
		p := &provider{Provider: env.CELTypeProvider(), facts: facts, fields: map[string]map[string]*types.FieldType{}}
		for kind, of := range facts {
			p.fields[kind] = map[string]*types.FieldType{}
			for name, f := range of {
				p.fields[kind][name] = f.field()
			}
		}
		return cel.CustomTypeProvider(p)(env)
	}
}

// field is the fact as CEL reads it. What a text, a list or a time lacks is not set.
func (f fact) field() *types.FieldType {
	get := func(target any) (ref.Val, error) {
		s, ok := target.(*scene)
		if !ok {
			return nil, errNoValue
		}
		return f.get(s)
	}
	return &types.FieldType{
		Type:    f.kind,
		GetFrom: func(target any) (any, error) { return get(target) },
		IsSet: func(target any) bool {
			value, err := get(target)
			if err != nil {
				return false
			}
			switch v := value.(type) {
			case types.String:
				return v != ""
			case *packed:
				return *v != ""
			}
			return true
		},
	}
}

// FindStructType knows our two types.
func (p *provider) FindStructType(name string) (*types.Type, bool) {
	if _, ours := p.facts[name]; ours {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames returns the names of our fields, sorted.
func (p *provider) FindStructFieldNames(name string) ([]string, bool) {
	if of, ours := p.facts[name]; ours {
		return namesOf(of), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType finds a field of ours.
func (p *provider) FindStructFieldType(kind, name string) (*types.FieldType, bool) {
	if of, ours := p.fields[kind]; ours {
		field, ok := of[name]
		return field, ok
	}
	return p.Provider.FindStructFieldType(kind, name)
}

var _ types.Provider = (*provider)(nil)

// usual estimates the sizes that only a request or a token knows.
type usual struct{}

// EstimateSize takes a list or text for one of the usual length.
func (usual) EstimateSize(node checker.AstNode) *checker.SizeEstimate {
	length := uint64(usualListLength)
	if node.Type().Kind() == types.StringKind {
		length = usualTextLength
	}
	return &checker.SizeEstimate{Min: 0, Max: length}
}

// EstimateCallCost leaves the functions to CEL.
func (usual) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

var _ checker.CostEstimator = usual{}

// errPolicyFalse says that a policy was evaluated, and was not true.
var errPolicyFalse = errors.New("the policy is not true")

// judge evaluates the policy, anew for every request. Only true is nil; the error is
// for the log and holds nothing that the request or the token said.
func (p *policy) judge(s *scene) error {
	out, _, err := p.program.Eval(s)
	if err == nil {
		if out == types.True {
			return nil
		}
		return errPolicyFalse
	}
	fact, isFact := errors.AsType[*factError](err)
	fault, isCEL := errors.AsType[*types.Err](err)
	place := ""
	if isCEL && fault.NodeID() != 0 {
		place = " at " + p.place(fault.NodeID())
	}
	text := err.Error()
	switch {
	case isFact:
		return fmt.Errorf("the policy could not be evaluated%s: %w", place, fact)
	case errors.Is(err, errTypes):
		return fmt.Errorf("the policy could not be evaluated%s: %w", place, errTypes)
	case strings.Contains(text, "cost limit exceeded"):
		return fmt.Errorf("the policy cost more than %d units", maxPolicyCost)
	}
	// CEL quotes values in its messages: "cannot convert 'alice@…' to int".
	for _, known := range quiet {
		if strings.HasPrefix(text, known.said) {
			return fmt.Errorf("the policy could not be evaluated%s: %s", place, known.means)
		}
	}
	return fmt.Errorf("the policy could not be evaluated%s", place)
}

// quiet are CEL's messages, by how they begin, in words of ours that quote nothing.
var quiet = [...]struct{ said, means string }{
	{"no such key", "a name that is not there"},
	{"no such overload", "a value is of a type that this is not for"},
	{"division by zero", "a division by zero"},
	{"modulus by zero", "a division by zero"},
	{"index ", "a place beyond the end of a list"},
	{"integer overflow", "a number that is too large"},
	{"unsigned integer overflow", "a number that is too large"},
}
