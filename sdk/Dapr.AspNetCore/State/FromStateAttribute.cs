using Dapr.AspNetCore;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Microsoft.AspNetCore.Mvc;

/// <summary>Binds a parameter of a controller's action to a value of a state store: the value itself, or a <c>StateEntry</c> of it. Needs <c>AddControllers().AddDapr()</c>.</summary>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property, AllowMultiple = false)]
public class FromStateAttribute : Attribute, IBindingSourceMetadata
{
    /// <summary>The key is the route value with the parameter's name.</summary>
    public FromStateAttribute(string storeName)
    {
        ArgumentException.ThrowIfNullOrEmpty(storeName);
        StoreName = storeName;
    }

    /// <summary>The key is the route value with this name.</summary>
    public FromStateAttribute(string storeName, string? key)
        : this(storeName) => Key = key;

    /// <summary>The state store.</summary>
    public string StoreName { get; }

    /// <summary>The route value that is the key; null: the one with the parameter's name.</summary>
    public string? Key { get; }

    /// <inheritdoc />
    public BindingSource BindingSource => new StateBindingSource(StoreName, Key);
}
