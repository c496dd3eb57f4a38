package handlers

import (
	"regexp"

	"petstore/models"
)

// productRequest is a product as a client writes it.
type productRequest struct {
	// What an order names the product by: lower-case letters, digits and dashes.
	Slug        string `json:"slug" validate:"required,max=100" pattern:"^[a-z0-9]+(-[a-z0-9]+)*$" example:"cat-toy"`
	Name        string `json:"name" validate:"required,max=200" example:"Cat toy"`
	Description string `json:"description,omitempty" validate:"max=5000" example:"A mouse of felt."`
	Category    string `json:"category" validate:"required,max=100" example:"cat"`
	// In the currency's smallest unit: 499 is 4.99 USD.
	Price *int64 `json:"price" validate:"required,min=0,max=1000000000" example:"499"`
	// ISO 4217.
	Currency string   `json:"currency,omitempty" validate:"omitempty,iso4217" minLength:"3" maxLength:"3" default:"USD" example:"USD"`
	Stock    *int64   `json:"stock,omitempty" validate:"omitempty,min=0,max=1000000000" default:"0" example:"12"`
	Tags     []string `json:"tags,omitempty" validate:"max=20,unique,dive,min=1,max=50" example:"toy,felt"`
	// Where a picture is: a URL, or a path on this server.
	ImageURL string `json:"image_url,omitempty" validate:"max=2048" example:"https://example.com/cat-toy.jpg"`
}

var (
	slugPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	// pathPattern is a path on this server: browsers take // and /\ for the
	// beginning of another one's name.
	pathPattern = regexp.MustCompile(`^/([^/\\\s[:cntrl:]][^\\\s[:cntrl:]]*)?$`)
)

// check says what the validate tags cannot.
func (r productRequest) check() error {
	if !slugPattern.MatchString(r.Slug) {
		return models.Invalid("slug", "must be lower-case letters and digits, with single dashes between them")
	}
	if r.ImageURL != "" && !pathPattern.MatchString(r.ImageURL) && validate.Var(r.ImageURL, "http_url") != nil {
		return models.Invalid("image_url", "must be an http or https URL, or a path on this server that begins with /")
	}
	return nil
}

// apply writes the request into p.
func (r productRequest) apply(p *models.Product) error {
	if err := r.check(); err != nil {
		return err
	}
	p.Slug, p.Name, p.Description, p.Category, p.ImageURL = r.Slug, r.Name, r.Description, r.Category, r.ImageURL
	p.Price, p.Currency, p.Stock = *r.Price, "USD", 0
	if r.Currency != "" {
		p.Currency = r.Currency
	}
	if r.Stock != nil {
		p.Stock = *r.Stock
	}
	p.Tags = mapItems(r.Tags, func(tag string) models.ProductTag { return models.ProductTag{Tag: tag} })
	return nil
}

// writtenAs is the request that would make p what it is: what a patch applies to.
func writtenAs(p models.Product) productRequest {
	return productRequest{
		Slug: p.Slug, Name: p.Name, Description: p.Description, Category: p.Category,
		Price: &p.Price, Currency: p.Currency, Stock: &p.Stock, ImageURL: p.ImageURL,
		Tags: mapItems(p.Tags, func(t models.ProductTag) string { return t.Tag }),
	}
}
