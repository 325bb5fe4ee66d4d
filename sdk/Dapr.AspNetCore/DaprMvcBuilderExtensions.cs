using Dapr.AspNetCore;
using Dapr.Client;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Adds what controllers need.</summary>
public static class DaprMvcBuilderExtensions
{
    /// <summary>Registers a client and the binding of <see cref="FromStateAttribute"/>.</summary>
    public static IMvcBuilder AddDapr(this IMvcBuilder builder, Action<DaprClientBuilder>? configureClient = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddDaprClient(configureClient);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IConfigureOptions<MvcOptions>, StateBindingSetup>());
        return builder;
    }

    sealed class StateBindingSetup : IConfigureOptions<MvcOptions>
    {
        public void Configure(MvcOptions options) => options.ModelBinderProviders.Insert(0, new StateModelBinderProvider());
    }
}
