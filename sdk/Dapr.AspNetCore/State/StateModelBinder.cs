using System.Reflection;
using Dapr.Client;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.Mvc.ModelBinding.Validation;
using Microsoft.Extensions.DependencyInjection;

namespace Dapr.AspNetCore;

internal sealed class StateModelBinderProvider : IModelBinderProvider
{
    public IModelBinder? GetBinder(ModelBinderProviderContext context)
    {
        var type = context.Metadata.ModelType;
        var entry = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(StateEntry<>);

        // A StateEntry without the attribute cannot come from anywhere else, but says no store.
        if (context.BindingInfo.BindingSource is not StateBindingSource source)
            return null;
        return (IModelBinder)Activator.CreateInstance(
            typeof(StateModelBinder<>).MakeGenericType(entry ? type.GetGenericArguments()[0] : type), BindingFlags.Instance | BindingFlags.NonPublic, null, [source.StoreName, source.Key, entry], null)!;
    }
}

internal sealed class StateModelBinder<T> : IModelBinder
{
    readonly string _storeName;
    readonly string? _key;
    readonly bool _entry;

    internal StateModelBinder(string storeName, string? key, bool entry)
    {
        _storeName = storeName;
        _key = key;
        _entry = entry;
    }

    public async Task BindModelAsync(ModelBindingContext bindingContext)
    {
        var name = _key ?? bindingContext.FieldName;
        var context = bindingContext.HttpContext;
        if (bindingContext.ActionContext.RouteData.Values.GetValueOrDefault(name) as string is not { Length: > 0 } key)
        {
            bindingContext.ModelState.TryAddModelError(bindingContext.FieldName, $"Required value {name} not present.");
            bindingContext.Result = ModelBindingResult.Failed();
            return;
        }

        var client = context.RequestServices.GetRequiredService<DaprClient>();
        var entry = await client.GetStateEntryAsync<T>(_storeName, key, cancellationToken: context.RequestAborted).ConfigureAwait(false);
        bindingContext.Result = ModelBindingResult.Success(_entry ? entry : entry.Value);

        // What is stored was checked when it was stored.
        if (bindingContext.Result.Model is { } model)
            bindingContext.ValidationState.Add(model, new ValidationStateEntry { SuppressValidation = true });
    }
}
