// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <class T>
class IntrusiveList;

/// A base of T, by which a T stands in at most one IntrusiveList<T> at a time. Must be removed from
/// the list before it is destroyed.
template <class T>
class ListLink {
public:
    ListLink(const ListLink&) = delete;
    ListLink& operator=(const ListLink&) = delete;

protected:
    ListLink() = default;
    ~ListLink() { PROBEKIT_ASSERT(next_ == nullptr); }

private:
    friend IntrusiveList<T>;

    ListLink* prev_ = nullptr;
    ListLink* next_ = nullptr; // null: not listed
};

/// A doubly linked list of objects that it does not own. It allocates nothing, and every operation
/// but find_if() takes constant time. Not thread-safe.
template <class T>
class IntrusiveList {
public:
    IntrusiveList() noexcept { end_.prev_ = end_.next_ = &end_; }
    IntrusiveList(const IntrusiveList&) = delete;
    IntrusiveList& operator=(const IntrusiveList&) = delete;
    ~IntrusiveList() {
        PROBEKIT_ASSERT(empty());
        end_.next_ = nullptr;
    }

    [[nodiscard]] bool empty() const noexcept { return end_.next_ == &end_; }

    /// Whether `object` is in a list; in which one is for the caller to know.
    [[nodiscard]] static bool is_listed(const T& object) noexcept {
        return link_of(object).next_ != nullptr;
    }

    /// Null if the list is empty.
    [[nodiscard]] T* front() const noexcept { return object_at(end_.next_); }

    void push_front(T& object) noexcept { insert_before(*end_.next_, object); }
    void push_back(T& object) noexcept { insert_before(end_, object); }

    void remove(T& object) noexcept {
        Link& link = link_of(object);
        PROBEKIT_ASSERT(link.next_ != nullptr);
        link.prev_->next_ = link.next_;
        link.next_->prev_ = link.prev_;
        link.prev_ = link.next_ = nullptr;
    }

    /// Removes the first object and returns it. Null if the list is empty.
    T* pop_front() noexcept {
        T* const first = front();
        if (first != nullptr) remove(*first);
        return first;
    }

    /// The first object for which `predicate` is true, or null.
    template <class Predicate>
    [[nodiscard]] T* find_if(Predicate predicate) const {
        for (Link* link = end_.next_; link != &end_; link = link->next_)
            if (T& object = static_cast<T&>(*link); predicate(object)) return &object;
        return nullptr;
    }

private:
    using Link = ListLink<T>;
    struct End : Link {};

    [[nodiscard]] static Link& link_of(T& object) noexcept { return object; }
    [[nodiscard]] static const Link& link_of(const T& object) noexcept { return object; }

    [[nodiscard]] T* object_at(Link* link) const noexcept {
        return link != &end_ ? static_cast<T*>(link) : nullptr;
    }

    static void insert_before(Link& next, T& object) noexcept {
        Link& link = link_of(object);
        PROBEKIT_ASSERT(link.next_ == nullptr);
        link.prev_ = next.prev_;
        link.next_ = &next;
        next.prev_->next_ = &link;
        next.prev_ = &link;
    }

    End end_; // circular: the last object's successor, and the first one's predecessor
};

} // namespace probekit::inline PROBEKIT_ABI::detail
