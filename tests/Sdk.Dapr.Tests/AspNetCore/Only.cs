using System.Reflection;
using Microsoft.AspNetCore.Mvc.ApplicationParts;
using Microsoft.AspNetCore.Mvc.Controllers;

namespace DaprPlatform.Sdk.Tests.AspNetCore;

/// <summary>Of all controllers of this assembly, the one that a test is about.</summary>
internal sealed class Only<TController> : IApplicationFeatureProvider<ControllerFeature>
{
    public void PopulateFeature(IEnumerable<ApplicationPart> parts, ControllerFeature feature) => feature.Controllers.Add(typeof(TController).GetTypeInfo());
}
