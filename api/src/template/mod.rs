//! `{{.Result}}` in the values of an action.
