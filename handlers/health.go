package handlers

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"petstore/models"
	"petstore/models/db"
)

type health interface {
	Ping(ctx context.Context) error
}

type healthHandlers struct{ health health }

// healthy says that the server can do its work.
type healthy struct {
	// Always ok: otherwise the answer is 503.
	Status string `json:"status" enums:"ok" example:"ok"`
}

// @Summary     Ask whether the server can do its work
// @ID          getHealth
// @Tags        server
// @Success     200 {object} healthy "It can"
// @Failure     503 {object} problem "The database cannot be read or written"
// @Router      /health [get]
func (h healthHandlers) get(c *gin.Context) error {
	if err := noQuery(c); err != nil {
		return err
	}
	if err := h.health.Ping(c.Request.Context()); err != nil {
		message := "The database cannot be read or written."
		if models.Code(err) == db.CodeFull {
			message = "The disk is full."
		}
		return &models.Error{Code: codeUnavailable, Message: message, Err: err}
	}
	return respond(c, http.StatusOK, healthy{Status: "ok"})
}
