// Package grade is the report of a grader: one mark a rule, with what was seen and where the rule comes from.
// Package receivers grades a receiver of callbacks, package senders a sender.
package grade
