// Command naive is the server that everybody writes first: Gin, GORM and a bare go func(). It takes an order, answers
// at once and calls back, and as long as nothing goes wrong it looks as good as Petstore. docs/tutorial shows
// what it loses, so don't start from it.
//
//	go run ./docs/tutorial/naive
package main

import (
	"bytes"
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/gin-gonic/gin" //nolint:depguard // It has no rooms: that is what is wrong with it.
	"github.com/google/uuid"
	"gorm.io/driver/sqlite" //nolint:depguard // as above
	"gorm.io/gorm"          //nolint:depguard // as above
)

// order is a row, and the JSON of every answer and callback.
type order struct {
	ID          string `gorm:"primaryKey" json:"order_id"`
	Product     string `json:"product"      binding:"required"`
	CallbackURL string `json:"callback_url"`
	Status      string `json:"status"`
	Progress    int    `json:"progress"`
}

type server struct {
	db     *gorm.DB
	secret string
	work   time.Duration
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "naive:", err)
		os.Exit(1)
	}
}

func run() error {
	db, err := gorm.Open(sqlite.Open(cmp.Or(os.Getenv("DATABASE"), "naive.db")), &gorm.Config{})
	if err != nil {
		return err
	}
	if err := db.AutoMigrate(&order{}); err != nil {
		return err
	}
	work, err := time.ParseDuration(cmp.Or(os.Getenv("STEP_DELAY"), "500ms"))
	if err != nil {
		return err
	}
	s := &server{db: db, secret: cmp.Or(os.Getenv("CALLBACK_SECRET"), "whsec_cGV0c3RvcmUtZGV2ZWxvcG1lbnQtc2VjcmV0"), work: work}
	listener, err := net.Listen("tcp", cmp.Or(os.Getenv("ADDR"), "127.0.0.1:8081"))
	if err != nil {
		return err
	}
	gin.SetMode(gin.ReleaseMode)
	router := gin.New()
	router.POST("/api/orders", s.create)
	router.GET("/api/orders/:id", s.get)
	router.POST("/callbacks/order-status", s.receive) // as its client would write it
	fmt.Printf("The naive server listens at http://%s\n", listener.Addr())
	return router.RunListener(listener)
}

func (s *server) create(c *gin.Context) {
	var o order
	if err := c.ShouldBindJSON(&o); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
		return
	}
	o.ID, o.Status = uuid.NewString(), "processing"
	s.db.Create(&o)
	go s.process(o) // What could go wrong?
	c.JSON(http.StatusAccepted, o)
}

func (s *server) get(c *gin.Context) {
	var o order
	if err := s.db.First(&o, "id = ?", c.Param("id")).Error; err != nil {
		c.JSON(http.StatusNotFound, gin.H{"error": err.Error()})
		return
	}
	c.JSON(http.StatusOK, o)
}

// process does the work, and tells about it.
func (s *server) process(o order) {
	for _, progress := range []int{50, 100} {
		<-time.After(s.work / 2)
		if o.Progress = progress; progress == 100 {
			o.Status = "completed"
		}
		s.db.Save(&o)
		go s.call(o)
	}
}

// call posts the order to its callback URL, signed.
func (s *server) call(o order) {
	body, _ := json.Marshal(o)
	mac := hmac.New(sha256.New, []byte(s.secret))
	mac.Write(body)
	request, err := http.NewRequest("POST", o.CallbackURL, bytes.NewReader(body))
	if err != nil {
		return
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Callback-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		fmt.Println("callback failed:", err)
		return
	}
	response.Body.Close()
}

// receive takes a callback.
func (s *server) receive(c *gin.Context) {
	var u struct {
		OrderID string `json:"order_id"`
		Status  string `json:"status"`
	}
	if err := c.ShouldBindJSON(&u); err != nil {
		c.JSON(http.StatusBadRequest, gin.H{"error": err.Error()})
		return
	}
	fmt.Println("order", u.OrderID, "is", u.Status, "- telling the customer")
	c.String(http.StatusOK, "OK")
}
