package models

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"petstore/models/db"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Product is something that the shop sells.
type Product struct {
	ID          string
	Slug        string // unique; what an order names it by
	Name        string
	Description string
	Category    string
	Price       int64  // in the currency's smallest unit
	Currency    string // ISO 4217
	Stock       int64  // 0 to MaxStock
	ImageURL    string
	ImageID     string // of the image in ImageURL, "" if that is none of this server's
	Version     int64  // counts changes, for If-Match
	CreatedAt   time.Time
	UpdatedAt   time.Time
	Tags        []ProductTag
	Search      string // what a ProductFilter's Query is looked for in
}

// BeforeSave is GORM's hook, of its Create and its Save.
func (p *Product) BeforeSave(*gorm.DB) error {
	p.Search = fold(p.Name + "\n" + p.Description + "\n" + p.Slug)
	p.ImageID = db.ImageIDIn(p.ImageURL)
	return nil
}

func fold(text string) string { return db.Fold(text) } // where a session is called db

// ProductTag is one tag of one product, a row of its own so that it can be
// looked up by an index.
type ProductTag struct {
	ProductID string `gorm:"primaryKey"`
	Tag       string `gorm:"primaryKey"`
	Position  int    // tags keep the order they were given in
}

// ProductFilter narrows a list of products; zero values narrow nothing.
type ProductFilter struct {
	Category string
	Tag      string
	MinPrice *int64
	MaxPrice *int64
	InStock  *bool
	Query    string // text in name, description or slug; upper and lower case are alike
}

// FindProduct finds a product by its id or its slug.
func FindProduct(db *gorm.DB, idOrSlug string) (Product, error) {
	return take[Product](db.Preload("Tags", inOrder).Where("id = ? OR slug = ?", idOrSlug, idOrSlug), "product", idOrSlug)
}

// FindProducts finds what an order needs to know of products, by ids or slugs,
// each under both. Names that name nothing are missing from the map.
func FindProducts(view *gorm.DB, idsOrSlugs []string) (map[string]Product, error) {
	names := placeholders(len(idsOrSlugs))
	args := make([]any, 2*len(idsOrSlugs))
	for i, name := range idsOrSlugs {
		args[i], args[i+len(idsOrSlugs)] = name, name
	}
	rows, err := db.QueryRows(view, "SELECT id, slug, name, category, price, currency FROM products WHERE slug IN ("+names+") OR id IN ("+names+")", args...)
	if err != nil {
		return nil, fmt.Errorf("finding products: %w", err)
	}
	defer rows.Close()
	found := make(map[string]Product, 2*len(idsOrSlugs))
	for rows.Next() {
		var p Product
		if err := rows.Scan(&p.ID, &p.Slug, &p.Name, &p.Category, &p.Price, &p.Currency); err != nil {
			return nil, fmt.Errorf("reading products: %w", err)
		}
		found[p.ID], found[p.Slug] = p, p
	}
	return found, wrap(rows.Err(), "reading products")
}

// ListProducts lists products, newest first.
func ListProducts(db *gorm.DB, f ProductFilter, page Page) (List[Product], error) {
	q := db.Preload("Tags", inOrder)
	if f.Category != "" {
		q = q.Where("category = ?", f.Category)
	}
	if f.Tag != "" {
		q = q.Where("id IN (?)", db.Model(&ProductTag{}).Select("product_id").Where("tag = ?", f.Tag))
	}
	if f.MinPrice != nil {
		q = q.Where("price >= ?", *f.MinPrice)
	}
	if f.MaxPrice != nil {
		q = q.Where("price <= ?", *f.MaxPrice)
	}
	if f.InStock != nil {
		q = q.Where("(stock > 0) = ?", *f.InStock)
	}
	if f.Query != "" {
		q = q.Where(`search LIKE ? ESCAPE '\'`, "%"+likeEscape.Replace(fold(f.Query))+"%")
	}
	return find(q, page, "id", func(p Product) string { return p.ID })
}

// inOrder puts tags into the order that the client gave.
func inOrder(db *gorm.DB) *gorm.DB { return db.Order("position") }

// likeEscape makes the wildcards of LIKE plain characters.
var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// CreateProduct stores a new product and its tags.
func CreateProduct(tx *Tx, p *Product) error {
	err := tx.Create(p).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return slugTaken(p.Slug)
	}
	if err == nil {
		err = rememberSlug(tx, p)
	}
	return wrap(err, "storing product %s", p.ID)
}

// rememberSlug notes that orders may hold this slug of the product.
func rememberSlug(tx *Tx, p *Product) error {
	_, err := tx.Write("INSERT INTO product_slugs (slug, product_id) VALUES (?, ?) ON CONFLICT DO NOTHING", p.Slug, p.ID)
	return err
}

// UpdateProduct stores a changed product and its tags, and counts the change.
func UpdateProduct(tx *Tx, p *Product) error {
	p.Version++
	p.UpdatedAt = Now()
	err := tx.Omit("Tags").Save(p).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return slugTaken(p.Slug)
	}
	if err == nil {
		err = rememberSlug(tx, p)
	}
	if err == nil {
		err = tx.Where("product_id = ?", p.ID).Delete(&ProductTag{}).Error
	}
	if err == nil && len(p.Tags) > 0 {
		err = tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&p.Tags).Error
	}
	return wrap(err, "storing product %s", p.ID)
}

// LockProducts keeps others from changing products until this transaction ends.
// Whoever changes several does this first: that the locks are taken in one order
// keeps two transactions from waiting for each other for ever (deadlock).
func LockProducts(tx *Tx, ids []string) error { return tx.LockAll("products", ids) }

// TakeStock takes quantity of a product, and reports false when there is not
// that much. It reads and writes in one statement, so two orders never take the
// same item.
func TakeStock(tx *Tx, productID string, quantity int64) (bool, error) {
	taken, err := tx.Write("UPDATE products SET stock = stock - ?, version = version + 1, updated_at = ? WHERE id = ? AND stock >= ?",
		quantity, Now(), productID, quantity)
	return taken == 1, wrap(err, "taking stock of product %s", productID)
}

// MaxStock is the most that there can be of a product, for clients who say so, too.
const MaxStock = 1_000_000_000

// ReturnStock gives back what TakeStock took. A product that was deleted
// meanwhile gets nothing, and one of which somebody has said that there are
// MaxStock no more than that.
func ReturnStock(tx *Tx, productID string, quantity int64) error {
	_, err := tx.Write("UPDATE products SET stock = CASE WHEN stock > ? THEN ? ELSE stock + ? END, version = version + 1, updated_at = ? WHERE id = ?",
		MaxStock-quantity, MaxStock, quantity, Now(), productID)
	return wrap(err, "returning stock of product %s", productID)
}

func slugTaken(slug string) error {
	return &Error{Code: CodeConflict, Message: fmt.Sprintf("Another product has the slug %q: choose another, or change that product.", slug),
		Fields: []FieldError{{Field: "slug", Message: "is taken"}}}
}
