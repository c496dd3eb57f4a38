package handlers

import (
	"context"
	"net/http"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"

	"petstore/models"
)

type products interface {
	Create(ctx context.Context, p models.Product) (models.Product, error)
	Get(ctx context.Context, idOrSlug string) (models.Product, error)
	List(ctx context.Context, f models.ProductFilter, page models.Page) (models.List[models.Product], error)
	Change(ctx context.Context, idOrSlug string, version int64, edit func(*models.Product) error) (models.Product, error)
	Delete(ctx context.Context, idOrSlug string, version int64) error
}

type productHandlers struct{ products products }

// Products are the routes of the catalogue.
func Products(s products) Resource {
	return func(a *API) {
		h, g := productHandlers{products: s}, a.group("/api/products").tagged("product_id", tagOf(s.Get, showProduct))
		g.get("", h.list)
		g.post("", h.create)
		g.get("/:product_id", h.get)
		g.put("/:product_id", h.replace)
		g.patch("/:product_id", h.patch)
		g.delete("/:product_id", h.delete)
	}
}

// product is a product as the API shows it.
type product struct {
	// Its id, for GET /api/products/{product_id}.
	ProductID string `json:"product_id" example:"prod_0199f2a0c1d27d3ea4b5c6d7e8f90123"`
	// What an order names it by.
	Slug string `json:"slug" example:"dog-food"`
	// What people call it.
	Name string `json:"name" example:"Dog food"`
	// What there is to say of it, for people; up to 5000 characters.
	Description string `json:"description" example:"Chicken and vegetables, for grown dogs. 5 kg."`
	// Where lists and reports put it.
	Category string `json:"category" example:"dog"`
	// In the currency's smallest unit: 2499 is 24.99 USD.
	Price int64 `json:"price" minimum:"0" example:"2499"`
	// Of the price: ISO 4217.
	Currency string `json:"currency" example:"USD"`
	// How many there are. Orders take from it.
	Stock int64 `json:"stock" minimum:"0" example:"1000000"`
	// Words to find it by.
	Tags []string `json:"tags" example:"food,dry"`
	// Where its picture is: a URL, or a path on this server; empty without one.
	ImageURL string `json:"image_url" example:""`
	// When it was created: RFC 3339, in UTC.
	CreatedAt time.Time `json:"created_at" format:"date-time"`
	// When it was last changed, by requests or by orders: RFC 3339, in UTC.
	UpdatedAt time.Time `json:"updated_at" format:"date-time"`

	number int64 // of its version
}

func (p *product) version() int64 { return p.number }

func showProduct(p models.Product) product {
	return product{
		number:    p.Version,
		ProductID: p.ID, Slug: p.Slug, Name: p.Name, Description: p.Description, Category: p.Category,
		Price: p.Price, Currency: p.Currency, Stock: p.Stock, ImageURL: p.ImageURL,
		Tags:      mapItems(p.Tags, func(t models.ProductTag) string { return t.Tag }),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
}

// productRequest is a product as a client writes it.
type productRequest struct {
	// What an order names the product by: lower-case letters, digits and dashes.
	Slug string `json:"slug" validate:"required,max=100" pattern:"^[a-z0-9]+(-[a-z0-9]+)*$" example:"cat-toy"`
	// What people call it; `q` of the list finds it by that.
	Name string `json:"name" validate:"required,max=200" example:"Cat toy"`
	// What there is to say of it, for people.
	Description string `json:"description,omitempty" validate:"max=5000" example:"A mouse of felt."`
	// For which animal, say; lists and reports go by it.
	Category string `json:"category" validate:"required,max=100" example:"cat"`
	// In the currency's smallest unit: 499 is 4.99 USD.
	Price *int64 `json:"price" validate:"required,min=0,max=1000000000" example:"499"`
	// ISO 4217.
	Currency string `json:"currency,omitempty" validate:"omitempty,iso4217" minLength:"3" maxLength:"3" default:"USD" example:"USD"`
	// How many there are. Orders take from it.
	Stock *int64 `json:"stock,omitempty" validate:"omitempty,min=0,max=1000000000" default:"0" example:"12"`
	// Words to find it by.
	Tags []string `json:"tags,omitempty" validate:"max=20,unique,dive,min=1,max=50" example:"toy,felt"`
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
	var wrong models.FieldErrors
	if !slugPattern.MatchString(r.Slug) {
		wrong.Addf("slug", "must be lower-case letters and digits, with single dashes between them")
	}
	if r.ImageURL != "" && !pathPattern.MatchString(r.ImageURL) && validate.Var(r.ImageURL, "http_url") != nil {
		wrong.Addf("image_url", "must be an http or https URL, or a path on this server that begins with /")
	}
	return wrong.Err()
}

// apply writes the request into p, if nothing is wrong with it; decoded is what decoding it has found.
func (r productRequest) apply(p *models.Product, decoded error) error {
	if err := invalid(r, decoded, r.check()); err != nil {
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

// requestOf is the request that would make p what it is: what a patch applies to.
func requestOf(p models.Product) productRequest {
	return productRequest{
		Slug: p.Slug, Name: p.Name, Description: p.Description, Category: p.Category,
		Price: &p.Price, Currency: p.Currency, Stock: &p.Stock, ImageURL: p.ImageURL,
		Tags: mapItems(p.Tags, func(t models.ProductTag) string { return t.Tag }),
	}
}

// @Summary     List products
// @Description Newest first.
// @ID          listProducts
// @Tags        products
// @Param       category  query string false "Only of this category" maxlength(100)
// @Param       tag       query string false "Only with this tag" maxlength(50)
// @Param       min_price query int    false "Only at this price or above, in the currency's smallest unit" minimum(0)
// @Param       max_price query int    false "Only at this price or below, in the currency's smallest unit" minimum(0)
// @Param       in_stock  query bool   false "Only what is in stock, or only what is not"
// @Param       q         query string false "Only with this text in name, description or slug" maxlength(100)
// @Success     200 {object} page[product]
// @Router      /api/products [get]
func (h productHandlers) list(c *gin.Context) error {
	q := newQuery(c)
	const most = 1_000_000_000_000
	filter := models.ProductFilter{
		Category: q.text("category", 100), Tag: q.text("tag", 50), Query: q.text("q", 100),
		MinPrice: q.number("min_price", 0, most), MaxPrice: q.number("max_price", 0, most), InStock: q.flag("in_stock"),
	}
	return servePage(c, q, h.products.List, filter, showProduct)
}

// @Summary     Add a product
// @ID          createProduct
// @Tags        products
// @Param       product body productRequest true "The product"
// @Success     201 {object} product "The product, stored"
// @Header      201 {string} Location "Where the product is"
// @Header      201 {string} ETag "Its version, for If-Match"
// @Failure     409 {object} problem "The slug is taken"
// @Router      /api/products [post]
func (h productHandlers) create(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	request, err := decode[productRequest](c)
	var p models.Product
	request.ImageURL = withoutPrefix(c, request.ImageURL)
	if err := request.apply(&p, err); err != nil {
		return err
	}
	if p, err = h.products.Create(c.Request.Context(), p); err != nil {
		return err
	}
	c.Header("Location", withPrefix(c, "/api/products/"+p.ID))
	c.Header("ETag", etag(new(showProduct(p)), nil))
	return respond(c, http.StatusCreated, new(showProduct(p)))
}

// @Summary     Get a product
// @ID          getProduct
// @Tags        products
// @Param       product_id    path   string true  "Its id or its slug" example(dog-food)
// @Success     200 {object} product
// @Router      /api/products/{product_id} [get]
func (h productHandlers) get(c *gin.Context) error {
	return serveOne(c, "product_id", h.products.Get, showProduct)
}

// @Summary     Replace a product
// @ID          replaceProduct
// @Tags        products
// @Param       product_id path   string         true  "Its id or its slug" example(dog-food)
// @Param       product    body   productRequest true  "The product"
// @Success     200 {object} product
// @Failure     409 {object} problem "The slug is taken"
// @Router      /api/products/{product_id} [put]
func (h productHandlers) replace(c *gin.Context) error {
	return h.change(c)
}

// @Summary     Change some fields of a product
// @Description A JSON merge patch (RFC 7396): fields that are there are set, null removes, the rest stays.
// @ID          patchProduct
// @Tags        products
// @Accept      json
// @Accept      application/merge-patch+json
// @Param       product_id path   string true  "Its id or its slug" example(dog-food)
// @Param       patch      body   productRequest true "What to change"
// @Success     200 {object} product
// @Failure     409 {object} problem "The slug is taken"
// @Router      /api/products/{product_id} [patch]
func (h productHandlers) patch(c *gin.Context) error {
	return h.change(c)
}

func (h productHandlers) change(c *gin.Context) error {
	edit, err := readEdit(c, productRequest.check)
	if err != nil {
		return err
	}
	id, err := pathID(c, "product_id")
	if err != nil {
		return err
	}
	p, err := h.products.Change(c.Request.Context(), id, matchedVersion(c), func(p *models.Product) error {
		request, err := edit(requestOf(*p))
		request.ImageURL = withoutPrefix(c, request.ImageURL)
		return request.apply(p, err)
	})
	if err != nil {
		return err
	}
	return respondTagged(c, new(showProduct(p)))
}

// @Summary     Remove a product
// @ID          deleteProduct
// @Tags        products
// @Param       product_id path   string true  "Its id or its slug"
// @Success     204
// @Router      /api/products/{product_id} [delete]
func (h productHandlers) delete(c *gin.Context) error {
	return serveDelete(c, "product_id", func(ctx context.Context, id string) error { return h.products.Delete(ctx, id, matchedVersion(c)) })
}
