#include "accel/tcg/translate/translation_queue.h"

#include "accel/tcg/translate/translate_at.h"
#include "accel/tcg/vcpu/vcpu.h"

namespace weft::accel {

TranslationQueue::TranslationQueue(bool stored) : stored_(stored) {
    MutexLock lock(mutex_);
    for (size_t i = 0; i < kSlots; ++i) {
        free_[i] = &slots_[i];
    }
}

bool TranslationQueue::offer(Vcpu& vcpu, const FetchPage& page) {
    if (page.device) {
        return false;
    }
    Slot* const slot = begin_filling();
    if (slot == nullptr) {
        return false;
    }
    if (!fill(*slot, vcpu, page)) {
        give_back(*slot);
        return false;
    }
    bool wakes = false;
    {
        MutexLock lock(mutex_);
        queued_[(first_ + queued_count_++) % kSlots] = slot;
        wakes = waiting_ != 0;
    }
    if (wakes) {
        queued_now_.notify_one();
    }
    return true;
}

TranslationQueue::Slot* TranslationQueue::begin_filling() {
    MutexLock lock(mutex_);
    return free_count_ != 0 ? free_[--free_count_] : nullptr;
}

bool TranslationQueue::fill(Slot& slot, Vcpu& vcpu, const FetchPage& page) const {
    slot.tb_flags = vcpu.tb_flags;
    slot.claim.emplace(vcpu.cache.pages());
    slot.source.emplace(vcpu.header().pc, page, most_insns(vcpu.cache.settings(), page), false);
    if (stored_ && page.lasting) {
        slot.source->set_page_sample(vcpu.memory.sample(page));
    }
    if (!slot.source->read(vcpu, *slot.claim)) {
        // Who comes here again meets the same.
        vcpu.header().raised = 0;
        return false;
    }
    return !slot.claim->gone() && !slot.claim->provisional();
}

TranslationQueue::Slot* TranslationQueue::take() {
    MutexLock lock(mutex_);
    if (queued_count_ == 0) {
        return nullptr;
    }
    Slot* const slot = queued_[first_];
    first_ = (first_ + 1) % kSlots;
    --queued_count_;
    return slot;
}

void TranslationQueue::give_back(Slot& slot) {
    slot.claim.reset();
    slot.source.reset();
    MutexLock lock(mutex_);
    free_[free_count_++] = &slot;
}

bool TranslationQueue::wait() {
    MutexLock lock(mutex_);
    ++waiting_;
    while (queued_count_ == 0 && !closed_) {
        queued_now_.wait(mutex_);
    }
    --waiting_;
    return !closed_;
}

void TranslationQueue::close() {
    {
        MutexLock lock(mutex_);
        closed_ = true;
    }
    queued_now_.notify_all();
}

}  // namespace weft::accel
