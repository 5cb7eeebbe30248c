package nbformat

import (
	"errors"
	"strings"
)

// rule says what a value is within a notebook, which is all that decides how it is written.
type rule uint8

const (
	other        rule = iota // unknown to nbformat: passes through
	drop                     // transient: neither on disk nor on the wire
	lines                    // text: a list of lines on disk, a string on the wire
	notebook                 // the whole
	notebookMeta             // its metadata
	cells
	cell     // markdown, raw
	codeCell // code
	cellMeta
	codeMeta
	attachments
	outputs
	richOutput  // execute_result, display_data
	plainOutput // stream
	bundle      // of MIME types
)

// member gives the rule of an object's member. These are the rules of nbformat's v4/rwbase.py.
func (r rule) member(key Value) rule {
	switch r {
	case notebook:
		return choose(key, "cells", cells, "metadata", notebookMeta)
	case notebookMeta:
		return choose(key, "orig_nbformat", drop, "orig_nbformat_minor", drop, "signature", drop)
	case cell:
		return choose(key, "source", lines, "metadata", cellMeta, "attachments", attachments)
	case codeCell:
		return choose(key, "source", lines, "outputs", outputs, "metadata", codeMeta, "attachments", attachments)
	case cellMeta, codeMeta:
		return choose(key, "trusted", drop)
	case attachments:
		return bundle
	case richOutput:
		return choose(key, "data", bundle)
	case plainOutput:
		return choose(key, "text", lines)
	case bundle:
		if !isJSON(key.Text()) {
			return lines
		}
	}
	return other
}

func choose(key Value, pairs ...any) rule {
	for i := 0; i < len(pairs); i += 2 {
		if key.is(pairs[i].(string)) {
			return pairs[i+1].(rule)
		}
	}
	return other
}

// element gives the rule of an array's element.
func (r rule) element(v Value) rule {
	switch r {
	case cells:
		if v.Get("cell_type").is("code") {
			return codeCell
		}
		return cell
	case outputs:
		switch v.Get("output_type").Text() {
		case "execute_result", "display_data":
			return richOutput
		case "":
			return other
		}
		return plainOutput
	}
	return other
}

// isJSON tells the MIME types whose values are JSON and are never split or joined.
func isJSON(mime string) bool {
	return mime == "application/json" || strings.HasPrefix(mime, "application/") && strings.HasSuffix(mime, "+json")
}

// isText tells the MIME types whose strings are split into lines. All others, images above all, stay one string.
func isText(mime string) bool {
	return strings.HasPrefix(mime, "text/") || mime == "application/javascript" || mime == "image/svg+xml"
}

// rootRule gives the rule of a whole document: only those of nbformat 4 are known, older ones pass through.
func rootRule(nb Value) rule {
	if major, ok := nb.Get("nbformat").Int(); ok && major >= 4 {
		return notebook
	}
	return other
}

// Check tells in words what makes nb no notebook. It looks at the frame only: what a cell may hold is for its program to say.
func Check(nb Value) error {
	major, ok := nb.Get("nbformat").Int()
	switch {
	case nb.Kind() != Object:
		return errors.New("a notebook is a JSON object")
	case !ok || major < 1:
		return errors.New("the notebook has no nbformat number")
	case major < 4:
		return nil
	case nb.Get("cells").Kind() != Array:
		return errors.New("the notebook has no list of cells")
	}
	for c := range nb.Get("cells").Items() {
		if c.Kind() != Object {
			return errors.New("a cell of the notebook is no JSON object")
		}
	}
	return nil
}

// Trustworthy reports whether whoever sends nb has seen or made all of its output: each code cell is marked as trusted or has
// no output that a browser would interpret.
func Trustworthy(nb Value) bool {
	if rootRule(nb) != notebook {
		return false
	}
	for c := range nb.Get("cells").Items() {
		if c.Get("cell_type").is("code") && !c.Get("metadata").Get("trusted").True() && risky(c) {
			return false
		}
	}
	return true
}

func risky(cell Value) bool {
	for out := range cell.Get("outputs").Items() {
		if outputs.element(out) != richOutput {
			continue
		}
		for key := range out.Members() {
			if !key.is("output_type") && !key.is("execution_count") && !key.is("metadata") {
				return true
			}
		}
	}
	return false
}
