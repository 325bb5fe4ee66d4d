using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Dapr.AspNetCore;

internal sealed class StateBindingSource(string storeName, string? key) : BindingSource("state", "Dapr state store", isGreedy: true, isFromRequest: false)
{
    internal string StoreName { get; } = storeName;

    internal string? Key { get; } = key;
}
