package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// notebook measures saving and opening a notebook of 10 MB: a thousand cells, each with 10 kB of output.
func (b *benchmark) notebook(ctx context.Context) error {
	ours, err := b.startHopyard(ctx)
	if err != nil {
		return err
	}
	peers, err := b.startPeers(ctx, asShipped)
	servers := append([]*server{ours}, peers...)
	defer func() { b.stopAll(servers) }()
	if err != nil {
		return err
	}
	body, err := largeNotebook()
	if err != nil {
		return err
	}
	put, get := make([]samples, len(servers)), make([]samples, len(servers))
	const rounds = 10
	for range rounds {
		for i, s := range servers {
			saved, opened, err := s.saveAndOpen(ctx, body)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			put[i], get[i] = append(put[i], milliseconds(saved)), append(get[i], milliseconds(opened))
		}
	}
	b.figure("PUT of 10 MB, p50", put[0].at(0.5), "ms")
	b.figure("GET of 10 MB, p50", get[0].at(0.5), "ms")
	for i := 1; i < len(servers); i++ {
		b.beside("PUT of 10 MB, p50", put[0].at(0.5), put[i].at(0.5), "ms", servers[i].name, put[i].at(0.5)/put[0].at(0.5), 5)
		b.beside("GET of 10 MB, p50", get[0].at(0.5), get[i].at(0.5), "ms", servers[i].name, get[i].at(0.5)/get[0].at(0.5), 5)
	}
	return nil
}

// saveAndOpen does what Lab does for save and open, and times it.
func (s *server) saveAndOpen(ctx context.Context, body []byte) (save, open time.Duration, err error) {
	const path = "/api/contents/large.ipynb"
	begin := time.Now()
	if _, err := s.do(ctx, http.MethodPut, path, body, nil); err != nil {
		return 0, 0, err
	}
	save = time.Since(begin)
	begin = time.Now()
	n, err := s.do(ctx, http.MethodGet, path+"?type=notebook&content=1&hash=1", nil, nil)
	if err == nil && n < len(body) {
		err = fmt.Errorf("%d bytes came back of %d", n, len(body))
	}
	return save, time.Since(begin), err
}

func largeNotebook() ([]byte, error) {
	type object = map[string]any
	text := strings.Repeat("0123456789abcdef", 625)
	cells := make([]object, 1000)
	for i := range cells {
		cells[i] = object{
			"cell_type": "code", "id": fmt.Sprintf("c%d", i), "metadata": object{}, "execution_count": i, "source": "print(1)",
			"outputs": []object{{"output_type": "stream", "name": "stdout", "text": text}},
		}
	}
	content := object{"cells": cells, "metadata": object{}, "nbformat": 4, "nbformat_minor": 5}
	return json.Marshal(object{"type": "notebook", "format": "json", "content": content})
}
