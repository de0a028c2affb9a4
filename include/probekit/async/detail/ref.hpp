// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// An intrusive reference count of 4 bytes; a shared_ptr would take 16 per holder and a control
/// block. The count begins at 0; the release that brings it back to 0 calls `Derived::destroy()`.
template <class Derived>
class RefCounted {
public:
    RefCounted(const RefCounted&) = delete;
    RefCounted& operator=(const RefCounted&) = delete;

    void retain() noexcept { count_.fetch_add(1, std::memory_order_relaxed); }

    void release() noexcept {
        const std::uint32_t before = count_.fetch_sub(1, std::memory_order_acq_rel);
        PROBEKIT_ASSERT(before != 0);
        if (before == 1) static_cast<Derived*>(this)->destroy();
    }

    /// Whether the caller's reference is the only one.
    [[nodiscard]] bool is_unique() const noexcept {
        return count_.load(std::memory_order_acquire) == 1;
    }

    /// False if the last reference has been released: for registries that do not own what they
    /// list.
    [[nodiscard]] bool try_retain() noexcept {
        std::uint32_t count = count_.load(std::memory_order_relaxed);
        while (count != 0)
            if (count_.compare_exchange_weak(count, count + 1, std::memory_order_acq_rel))
                return true;
        return false;
    }

protected:
    RefCounted() = default;
    ~RefCounted() { PROBEKIT_ASSERT(count_.load(std::memory_order_relaxed) == 0); }

private:
    std::atomic<std::uint32_t> count_{0};
};

/// A counted reference to a T that has retain() and release(): an intrusive_ptr.
template <class T>
class Ref {
public:
    Ref() noexcept = default;
    explicit Ref(T* object) noexcept : object_(object) {
        if (object_ != nullptr) object_->retain();
    }
    Ref(const Ref& other) noexcept : Ref(other.object_) {}
    Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
    Ref& operator=(Ref other) noexcept {
        std::swap(object_, other.object_);
        return *this;
    }
    ~Ref() {
        if (object_ != nullptr) object_->release();
    }

    /// Takes over a reference that is counted already.
    [[nodiscard]] static Ref adopt(T* object) noexcept {
        Ref ref;
        ref.object_ = object;
        return ref;
    }

    [[nodiscard]] T* get() const noexcept { return object_; }
    T* operator->() const noexcept {
        PROBEKIT_ASSERT(object_ != nullptr);
        return object_;
    }
    T& operator*() const noexcept {
        PROBEKIT_ASSERT(object_ != nullptr);
        return *object_;
    }
    explicit operator bool() const noexcept { return object_ != nullptr; }

private:
    T* object_ = nullptr;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
