package contracttest

import "github.com/pb33f/go-yaml"

// spellOutOpenObjects rewrites `additionalProperties: S` to the equivalent `patternProperties:
// {^: S}` with `additionalProperties: false`. The validator's strict mode takes the first for an
// oversight, and would call every key of an order's metadata undeclared.
func spellOutOpenObjects(document []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(document, &root); err != nil {
		return nil, err
	}
	spellOut(&root)
	document, err := yaml.Marshal(&root)
	return append(document, anything...), err
}

// anyName is a pattern that every name matches. The empty one does so too, but is lost on the way.
const anyName = "^"

// anything is what `additionalProperties: true` allows, said so that strict mode believes it at any depth.
const anything = `
x-anything:
  additionalProperties: false
  patternProperties:
    ^: {$ref: '#/x-anything'}
  items: {$ref: '#/x-anything'}
`

func spellOut(node *yaml.Node) {
	for _, child := range node.Content {
		spellOut(child)
	}
	if node.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, schema := node.Content[i], node.Content[i+1]
		if key.Value != "additionalProperties" || schema.Value == "false" {
			continue
		}
		if schema.Value == "true" {
			schema = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
				{Kind: yaml.ScalarNode, Value: "$ref"}, {Kind: yaml.ScalarNode, Value: "#/x-anything"},
			}}
		}
		node.Content[i+1] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: "false"}
		node.Content = append(node.Content,
			&yaml.Node{Kind: yaml.ScalarNode, Value: "patternProperties"},
			&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
				{Kind: yaml.ScalarNode, Tag: "!!str", Value: anyName}, schema,
			}})
	}
}
