/*
 * codec: rows of the journal as bytes.
 *
 * Numbers are LEB128 (7 bits a byte, low first), signed ones in zigzag;
 * strings and sets have their length before them; each value begins with the
 * number of its layout.  Decoding is total: any bytes give a value or false,
 * trailing bytes are an error, memory stays within a small multiple of the
 * input.  Pure.
 */
#ifndef JOURNAL_CODEC_H
#define JOURNAL_CODEC_H

#include "journal/journal.h"

/* Keys: big-endian, so that they sort as numbers do. */
void codec_key_box(struct buf *b, uint64_t box);
void codec_key_pair(struct buf *b, uint64_t box, uint32_t uid);
void codec_key_hold(struct buf *b, uint64_t box, uint32_t uid,
    struct span base);
void codec_key_size(struct buf *b, uint64_t size, uint64_t box, uint32_t uid);
bool codec_get_key_box(struct span key, uint64_t *box_r);
bool codec_get_key_pair(struct span key, uint64_t *box_r, uint32_t *uid_r);
/* *base_r borrows from KEY. */
bool codec_get_key_hold(struct span key, uint64_t *box_r, uint32_t *uid_r,
    struct span *base_r);
bool codec_get_key_size(struct span key, uint64_t *size_r, uint64_t *box_r,
    uint32_t *uid_r);

/* .id and .rows of a mailbox are not part of its value. */
void codec_put_box(struct buf *b, const struct jbox *box);
bool codec_get_box(struct arena *mem, struct span value, struct jbox *box_r);

void codec_put_pair(struct buf *b, const struct pair *p); /* without .uid */
bool codec_get_pair(struct arena *mem, struct span value,
    struct pair *p_r);
/* .file, borrowed from VALUE, and .l, in MEM; no more is looked at. */
bool codec_get_pair_file(struct arena *mem, struct span value,
    struct span *file_r, struct flags *l_r);
/* .size alone; what comes after it is not looked at. */
bool codec_get_pair_size(struct span value, uint64_t *size_r);

/*
 * Without what is in the key.  Written in layout 2; layout 1, without .kind,
 * .size and .idate, is still read.
 */
void codec_put_hold(struct buf *b, const struct jhold *h);
bool codec_get_hold(struct arena *mem, struct span value,
    struct jhold *h_r);

void codec_put_u64(struct buf *b, uint64_t v); /* 8 bytes, big-endian */
bool codec_get_u64(struct span value, uint64_t *v_r);

#endif
