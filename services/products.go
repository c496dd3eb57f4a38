package services

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"petstore/models"
)

// Products is the catalogue.
type Products struct{ store *models.Store }

// NewProducts returns the catalogue that store holds.
func NewProducts(store *models.Store) *Products { return &Products{store: store} }

// Create adds a product. Its slug must not be taken.
func (s *Products) Create(ctx context.Context, p models.Product) (models.Product, error) {
	err := s.store.InTx(ctx, func(tx *models.Tx) error { return add(tx, &p) })
	return p, err
}

func add(tx *models.Tx, p *models.Product) error {
	p.ID, p.Version = models.NewID(models.PrefixProduct), 1
	p.CreatedAt = models.Now()
	p.UpdatedAt = p.CreatedAt
	nameTags(p)
	if err := checkImageURL(tx.DB, p.ImageURL); err != nil {
		return err
	}
	return models.CreateProduct(tx, p)
}

// Get finds a product by its id or slug.
func (s *Products) Get(ctx context.Context, idOrSlug string) (models.Product, error) {
	return models.FindProduct(s.store.Read(ctx), idOrSlug)
}

// List lists products, newest first.
func (s *Products) List(ctx context.Context, f models.ProductFilter, page models.Page) (models.List[models.Product], error) {
	return list(ctx, s.store, models.ListProducts, f, page)
}

// Change lets edit change a product. It fails with CodePrecondition if the
// product is not at the given version; 0 stands for any.
func (s *Products) Change(ctx context.Context, idOrSlug string, version int64, edit func(*models.Product) error) (models.Product, error) {
	var p models.Product
	err := s.store.InTx(ctx, func(tx *models.Tx) (err error) {
		if p, err = at(tx, idOrSlug, version); err != nil {
			return err
		}
		picture := p.ImageURL
		if err = edit(&p); err != nil {
			return err
		}
		if p.ImageURL != picture {
			if err = checkImageURL(tx.DB, p.ImageURL); err != nil {
				return err
			}
		}
		nameTags(&p)
		return models.UpdateProduct(tx, &p)
	})
	return p, err
}

// Delete removes a product, if it is at the given version; 0 stands for any.
func (s *Products) Delete(ctx context.Context, idOrSlug string, version int64) error {
	return s.store.InTx(ctx, func(tx *models.Tx) error {
		p, err := at(tx, idOrSlug, version)
		if err != nil {
			return err
		}
		return models.Delete[models.Product](tx, p.ID)
	})
}

func at(tx *models.Tx, idOrSlug string, version int64) (models.Product, error) {
	p, err := models.FindProduct(tx.ForUpdate(), idOrSlug)
	if err == nil && version != 0 && p.Version != version {
		err = &models.Error{Code: models.CodePrecondition, Message: "The product has changed since you read it. Read it again, and repeat your change."}
	}
	return p, err
}

func nameTags(p *models.Product) {
	for i := range p.Tags {
		p.Tags[i].ProductID, p.Tags[i].Position = p.ID, i
	}
}

// Seed fills an empty catalogue, so that a new server has something to sell: with all or, if the server is killed
// meanwhile, nothing.
func (s *Products) Seed(ctx context.Context) error {
	some, err := s.List(ctx, models.ProductFilter{}, models.Page{Limit: 1})
	if err != nil || len(some.Items) > 0 {
		return err
	}
	err = s.store.InTx(ctx, func(tx *models.Tx) error {
		for _, p := range catalogue() {
			if err := add(tx, &p); err != nil {
				return err
			}
		}
		return nil
	})
	if models.Code(err) == models.CodeConflict { // with a replica that starts beside this one
		return nil
	}
	return err
}

func catalogue() []models.Product {
	const plenty = 1_000_000 // so that trying the server out does not end at an empty shelf
	return []models.Product{
		{Slug: "bird-seed", Name: "Bird seed", Category: "bird", Price: 799, Currency: "USD", Stock: plenty,
			Description: "Sunflower, millet and niger seed. 2 kg.", Tags: tags("food", "wild")},
		{Slug: "aquarium-60", Name: "Aquarium, 60 litres", Category: "fish", Price: 8900, Currency: "USD", Stock: 25,
			Description: "With lid, light and filter.", Tags: tags("habitat")},
		{Slug: "cat-tree", Name: "Cat tree", Category: "cat", Price: 5999, Currency: "USD", Stock: 40,
			Description: "Sisal, 1.5 m, two platforms and a cave.", Tags: tags("furniture", "indoor")},
		{Slug: "cat-food", Name: "Cat food", Category: "cat", Price: 1899, Currency: "USD", Stock: plenty,
			Description: "Salmon and rice, for grown cats. 3 kg.", Tags: tags("food", "dry")},
		{Slug: "dog-leash", Name: "Dog leash", Category: "dog", Price: 1599, Currency: "USD", Stock: plenty,
			Description: "Nylon, 2 m, reflecting.", Tags: tags("walk", "safety")},
		{Slug: "dog-food", Name: "Dog food", Category: "dog", Price: 2499, Currency: "USD", Stock: plenty,
			Description: "Chicken and vegetables, for grown dogs. 5 kg.", Tags: tags("food", "dry")},
	}
}

func tags(names ...string) []models.ProductTag {
	tags := make([]models.ProductTag, len(names))
	for i, name := range names {
		tags[i].Tag = name
	}
	return tags
}

// picturesPath is where this server has its pictures; beneath it are an image's id and the
// name of one of its variants.
const picturesPath = "/api/images/"

func picturePath(v models.ImageVariant) string { return picturesPath + v.ImageID + "/" + v.Name }

// checkImageURL holds the image_url of a product that names a picture of this
// server against the pictures that there are. It is Invalid if there is none.
func checkImageURL(db *gorm.DB, imageURL string) error {
	path, ours := strings.CutPrefix(imageURL, picturesPath)
	if !ours {
		return nil
	}
	id, name, _ := strings.Cut(path, "/")
	_, err := models.FindVariant(db, id, name)
	if models.Code(err) == models.CodeNotFound {
		return models.Invalid("image_url", "names a picture that this server does not have")
	}
	return err
}
