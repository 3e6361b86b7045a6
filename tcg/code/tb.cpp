#include "tcg/code/tb.h"

#include <algorithm>
#include <bit>

namespace weft::tcg {

static_assert(offsetof(TranslationBlock, jump_lock) == kCacheLine, "what lookups use fills the first line");
static_assert(sizeof(TranslationBlock) == 3 * kCacheLine);

namespace {

template <class Node>
void push_front(Node* node, Node** head) {
    node->next = *head;
    node->previous_next = head;
    if (*head != nullptr) {
        (*head)->previous_next = &node->next;
    }
    *head = node;
}

template <class Node>
void take_out(Node* node) {
    *node->previous_next = node->next;
    if (node->next != nullptr) {
        node->next->previous_next = node->previous_next;
    }
    node->next = nullptr;
    node->previous_next = nullptr;
}

}  // namespace

UnitIndexLayout UnitIndexLayout::for_regions(unsigned count) {
    const auto region_bits = static_cast<unsigned>(std::bit_width(count - 1));
    return {std::min(32 - region_bits, 28u)};
}

void OutgoingJump::link_into(OutgoingJump** head) { push_front(this, head); }
void OutgoingJump::unlink() { take_out(this); }

void PageLink::link_into(PageLink** head) { push_front(this, head); }
void PageLink::unlink() { take_out(this); }

}  // namespace weft::tcg
