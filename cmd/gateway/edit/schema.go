package edit

import (
	"github.com/spf13/cobra"

	"github.com/event-gateway/gateway/gateway/config"
	"github.com/event-gateway/gateway/gateway/config/describe"
)

func (d *Desk) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Print the JSON Schema of gateway.yaml, for editors", Args: cobra.NoArgs,
		Long: `Print the JSON Schema of gateway.yaml (draft 7). An editor with a YAML language
server shows mistakes, completes keys and explains them, when the file begins with

  # yaml-language-server: $schema=./gateway.schema.json

What a schema cannot know, such as whether an engine is declared or an expression
compiles, is found by gateway validate.`,
		Example: "  gateway schema > gateway.schema.json",
		RunE: func(*cobra.Command, []string) error {
			text, err := schemaText()
			if err == nil {
				_, err = d.Out.Write(text)
			}
			return err
		},
	}
}

func schemaText() ([]byte, error) {
	book, err := describe.Open(config.Sources())
	if err != nil {
		return nil, err
	}
	return book.Schema()
}
