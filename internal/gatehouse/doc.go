// Package gatehouse is the assembly: it makes the rooms out of a configuration,
// hands each its neighbours and mounts the dialects.
//
// It owns State, which outlives configurations (store, keys, cache, counters),
// and Gatehouse, which is one configuration over a State. It decides nothing
// about tokens and serves nothing itself. Only caddymodule and tests import it;
// it alone imports every room.
package gatehouse
