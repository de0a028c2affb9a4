// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A callback of void(const Argument&), movable only. One of up to four pointers' size stands
/// inside; a larger one takes the heap once, when it is set. (std::function stores two pointers and
/// wants copies.)
template <class Argument>
class SmallFunction {
public:
    SmallFunction() noexcept = default;

    template <class F>
        requires(!std::same_as<std::decay_t<F>, SmallFunction> &&
                 std::invocable<std::decay_t<F>&, const Argument&>)
    SmallFunction(F&& function) {
        using Stored = std::decay_t<F>;
        if constexpr (std::constructible_from<bool, const Stored&> &&
                      requires { function == nullptr; }) {
            if (function == nullptr)
                return; // an empty std::function or a null pointer is no callback
        }
        if constexpr (fits<Stored>) {
            ::new (static_cast<void*>(storage_)) Stored(std::forward<F>(function));
            table_ = &inside<Stored>;
        } else {
            ::new (static_cast<void*>(storage_))
                std::unique_ptr<Stored>(new Stored(std::forward<F>(function)));
            table_ = &outside<Stored>;
        }
    }
    SmallFunction(SmallFunction&& other) noexcept { take(other); }
    SmallFunction& operator=(SmallFunction&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    ~SmallFunction() { reset(); }

    explicit operator bool() const noexcept { return table_ != nullptr; }
    void operator()(const Argument& argument) { table_->call(storage_, argument); }

private:
    struct Table {
        void (*call)(void*, const Argument&);
        void (*move)(void* from, void* to) noexcept; // and destroys what it leaves
        void (*destroy)(void*) noexcept;
    };

    static constexpr std::size_t room = 4 * sizeof(void*);

    template <class Stored>
    static constexpr bool fits = sizeof(Stored) <= room && alignof(Stored) <= alignof(void*) &&
                                 std::is_nothrow_move_constructible_v<Stored>;

    template <class Held, class Deref>
    static constexpr Table table_of(Deref) {
        return {
            .call =
                [](void* at, const Argument& argument) {
                    std::invoke(Deref{}(*static_cast<Held*>(at)), argument);
                },
            .move =
                [](void* from, void* to) noexcept {
                    ::new (to) Held(std::move(*static_cast<Held*>(from)));
                    static_cast<Held*>(from)->~Held();
                },
            .destroy = [](void* at) noexcept { static_cast<Held*>(at)->~Held(); },
        };
    }
    template <class Stored>
    static constexpr Table inside = table_of<Stored>([](Stored& held) -> Stored& { return held; });
    template <class Stored>
    static constexpr Table outside = table_of<std::unique_ptr<Stored>>(
        [](std::unique_ptr<Stored>& held) -> Stored& { return *held; });

    void take(SmallFunction& other) noexcept {
        table_ = std::exchange(other.table_, nullptr);
        if (table_ != nullptr) table_->move(other.storage_, storage_);
    }
    void reset() noexcept {
        if (const Table* const table = std::exchange(table_, nullptr)) table->destroy(storage_);
    }

    alignas(void*) std::byte storage_[room];
    const Table* table_ = nullptr;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
