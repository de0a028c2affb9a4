// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <asio/cancellation_type.hpp>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Links an operation to its handler's cancellation slot. Either may be destroyed first: a signal
/// that is destroyed while the operation is pending cuts the link, and an operation that is
/// destroyed without having completed, with its context, leaves nothing in the slot that a late
/// emit() could touch. Both ends are used on the handler's executor only.
class CancelLink {
public:
    CancelLink() = default;
    CancelLink(const CancelLink&) = delete;
    CancelLink& operator=(const CancelLink&) = delete;
    ~CancelLink() { cut(); }

    /// From now on an emission of the slot's signal, whatever its type, calls
    /// `operation.cancel_requested()`.
    template <class Slot, class Operation>
    void connect(Slot slot, Operation& operation) {
        PROBEKIT_ASSERT(canceller_ == nullptr);
        if (!slot.is_connected()) return;
        canceller_ = &slot.template emplace<Canceller>(
            *this, &operation,
            +[](void* object) { static_cast<Operation*>(object)->cancel_requested(); });
    }

    /// The operation has completed: clears the slot, unless another operation has taken it since.
    template <class Slot>
    void disconnect(Slot slot) noexcept {
        if (canceller_ == nullptr) return;
        cut();
        slot.clear();
    }

private:
    class Canceller {
    public:
        Canceller(CancelLink& link, void* operation, void (*cancel)(void*)) noexcept
            : link_(&link), operation_(operation), cancel_(cancel) {}
        Canceller(const Canceller&) = delete;
        Canceller& operator=(const Canceller&) = delete;
        ~Canceller() {
            if (link_ != nullptr) link_->canceller_ = nullptr;
        }

        void operator()(asio::cancellation_type_t type) const {
            if (link_ != nullptr && type != asio::cancellation_type::none) cancel_(operation_);
        }

    private:
        friend class CancelLink;

        CancelLink* link_;
        void* operation_;
        void (*cancel_)(void*);
    };

    void cut() noexcept {
        if (canceller_ != nullptr) canceller_->link_ = nullptr;
        canceller_ = nullptr;
    }

    Canceller* canceller_ = nullptr;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
